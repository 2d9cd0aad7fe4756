import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Panel, Widget } from '@lumino/widgets';

import { ClosedPanels, PANEL_MIME, PanelOutput } from '../../src/notebook/mimeRenderer';

const WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json';

/** What ipywidgets puts there: empty until its manager has come. */
class Stock extends Panel implements IRenderMime.IRenderer {
  rendered: IRenderMime.IMimeModel | null = null;
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.rendered = model;
    return Promise.resolve();
  }
}

function modelOf(data: { [mime: string]: unknown }, trusted = true): IRenderMime.IMimeModel {
  return { trusted, data, metadata: {}, setData: () => undefined } as IRenderMime.IMimeModel;
}

let closed: ClosedPanels;
let output: PanelOutput;
let area: Panel & { rendermime?: IRenderMimeRegistry };
let item: Panel;
let stock: Stock;
let cards: Widget[];
let plains: Widget[];
let pictures: Widget[];

beforeEach(() => {
  closed = new ClosedPanels();
  cards = [];
  plains = [];
  pictures = [];
  const kept = (widgets: Widget[]) => () => {
    const widget = new Widget();
    widgets.push(widget);
    return widget;
  };
  output = new PanelOutput({ card: kept(cards), plain: kept(plains), picture: kept(pictures) }, closed);
  area = new Panel();
  item = new Panel();
  area.addWidget(item);
  stock = new Stock();
  const rendermime = { mimeTypes: [WIDGET_VIEW], createRenderer: () => stock };
  area.rendermime = rendermime as unknown as IRenderMimeRegistry;
  Widget.attach(area, document.body);
});

afterEach(() => area.dispose());

test('an output is the card at once, with no kernel asked', async () => {
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: 'a' } }));
  item.addWidget(output);
  expect(cards).toHaveLength(1);
  expect(output.isVisible).toBe(true);
  expect(item.widgets).toEqual([output]);
});

test('rendered again it is the same card', async () => {
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: 'a' } }));
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: 'b' } }));
  expect(cards).toHaveLength(1);
});

test('the panel that its kernel closes goes, and no other', async () => {
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: 'a' } }));
  item.addWidget(output);
  closed.add('b');
  expect(output.isHidden).toBe(false);
  closed.add('a');
  expect(output.isHidden).toBe(true);
});

test('one that was closed before stays away', async () => {
  closed.add('a');
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: 'a' } }));
  expect(output.isHidden).toBe(true);
});

test('a picture without a panel behind it is shown', async () => {
  await output.renderModel(modelOf({ [PANEL_MIME]: {} }));
  expect(output.isHidden).toBe(false);
});

test('for a container the card stands in until ipywidgets draws it', async () => {
  const model = modelOf({ [PANEL_MIME]: { model_id: 'a' }, [WIDGET_VIEW]: { model_id: 'box' } });
  await output.renderModel(model);
  item.addWidget(output);
  expect(item.widgets).toEqual([output, stock]);
  expect(stock.rendered).toBe(model);
  expect([output.isHidden, stock.isHidden]).toEqual([false, true]);
  stock.addWidget(new Widget());
  expect([output.isHidden, stock.isHidden]).toEqual([true, false]);
});

test('where ipywidgets is missing the card stays alone', async () => {
  area.rendermime = { mimeTypes: [] } as unknown as IRenderMimeRegistry;
  await output.renderModel(modelOf({ [PANEL_MIME]: {}, [WIDGET_VIEW]: {} }));
  item.addWidget(output);
  expect(item.widgets).toEqual([output]);
  expect(output.isHidden).toBe(false);
});

test('a card that is gone follows nothing', async () => {
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: 'a' } }));
  output.dispose();
  expect(() => closed.add('a')).not.toThrow();
  expect(cards[0]?.isDisposed).toBe(true);
});

const BOX = { [PANEL_MIME]: { model_id: 'a', container: 'box' }, [WIDGET_VIEW]: { model_id: 'box' } };

test('an untrusted output is a picture, and no renderer is made for what stands beside it', async () => {
  await output.renderModel(modelOf(BOX, false));
  item.addWidget(output);
  expect([cards, pictures]).toEqual([[], [...output.widgets]]);
  expect(item.widgets).toEqual([output]);
  expect(stock.rendered).toBeNull();
});

test('once it is trusted the card comes, and what it holds is drawn', async () => {
  await output.renderModel(modelOf(BOX, false));
  item.addWidget(output);
  await output.renderModel(modelOf(BOX));
  expect(pictures[0]?.isDisposed).toBe(true);
  expect(cards).toEqual([...output.widgets]);
  expect(item.widgets).toEqual([output, stock]);
});

test('one that is no longer trusted loses its card and what was drawn beside it', async () => {
  await output.renderModel(modelOf(BOX));
  item.addWidget(output);
  stock.addWidget(new Widget());
  await output.renderModel(modelOf(BOX, false));
  expect(cards[0]?.isDisposed).toBe(true);
  expect(stock.isDisposed).toBe(true);
  expect(pictures).toEqual([...output.widgets]);
  expect([item.widgets, output.isHidden]).toEqual([[output], false]);
});

test('of a kernel without ipywidgets it is the card that says so', async () => {
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: null, widget: false } }));
  expect([cards, plains]).toEqual([[], [...output.widgets]]);
  await output.renderModel(modelOf({ [PANEL_MIME]: { model_id: 'a' } }));
  expect(plains[0]?.isDisposed).toBe(true);
  expect(cards).toEqual([...output.widgets]);
});

test('in a page without notebooks what a container holds is drawn beside the card, too', async () => {
  const rendermime = { mimeTypes: [WIDGET_VIEW], createRenderer: () => stock };
  const contents = { card: () => new Widget(), plain: () => new Widget(), picture: () => new Widget() };
  const alone = new PanelOutput(contents, closed, rendermime as unknown as IRenderMimeRegistry);
  await alone.renderModel(modelOf(BOX, false));
  Widget.attach(alone, document.body);
  expect(stock.isAttached).toBe(false);
  await alone.renderModel(modelOf(BOX));
  expect(alone.node.nextSibling).toBe(stock.node);
  stock.addWidget(new Widget());
  expect([alone.isHidden, stock.isHidden]).toEqual([true, false]);
  alone.dispose();
});

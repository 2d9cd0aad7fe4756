import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IStatusBar } from '@jupyterlab/statusbar';
import type { ITranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import plugins from '../src/index';
import { StatusItem } from '../src/status';
import { Ticker } from '../src/ticker';
import type { IAutostopModel, ISituation } from '../src/tokens';
import { endingIn, HOUR, MINUTE, NOON, situationOf, stateOf, words } from './samples';
import { FakeServer, FakeSocket, json } from './server';

/** A model of which a test says what it knows. */
class FakeModel implements IAutostopModel {
  known: ISituation = situationOf();
  readonly changed = new Signal<this, void>(this);
  readonly ticker = new Ticker(() => null);
  readonly isDisposed = false;
  readonly refresh = (): Promise<void> => Promise.resolve();
  readonly dispose = (): void => undefined;
  readonly situation = (): ISituation => this.known;

  get state(): ISituation['state'] {
    return this.known.state;
  }

  get link(): ISituation['link'] {
    return this.known.link;
  }

  know(parts: Partial<ISituation>): void {
    this.known = { ...this.known, ...parts };
    this.changed.emit();
  }
}

let model: FakeModel;
let item: StatusItem;

function find(selector: string): HTMLElement {
  const found = item.node.querySelector<HTMLElement>(selector);
  if (!found) {
    throw new Error(`There is no ${selector}.`);
  }
  return found;
}

beforeEach(() => {
  jest.useFakeTimers();
  model = new FakeModel();
  item = new StatusItem(model, words);
  Widget.attach(item, document.body);
});

afterEach(() => {
  item.dispose();
  model.ticker.dispose();
  jest.useRealTimers();
});

describe('the status item', () => {
  it('is a silent timer with a name, in a group that the keyboard reaches', () => {
    const timer = find('.jp-AutostopCountdown[role="timer"]');
    expect(timer.textContent).toBe('2 h 13 min');
    expect(timer.getAttribute('aria-label')).toBe('The instance stops in 2 h 13 min');
    expect(timer.getAttribute('aria-live')).toBe('off');
    expect(item.node.tabIndex).toBe(0);
    expect(item.node.getAttribute('role')).toBe('group');
    expect(item.node.getAttribute('aria-label')).toBe('Auto-stop');
    expect(item.node.title).toContain('Monday, November 23 at 14:13 UTC');
    expect(item.node.querySelector('button, [role="button"], [aria-live="polite"]')).toBeNull();
  });

  it('ticks', () => {
    model.known = situationOf({ state: endingIn(5 * MINUTE), now: NOON });
    jest.advanceTimersByTime(1000);
    expect(find('.jp-AutostopCountdown').textContent).toBe('5:00');
    model.known = { ...model.known, now: NOON + 1000 };
    jest.advanceTimersByTime(1000);
    expect(find('.jp-AutostopCountdown').textContent).toBe('4:59');
    expect(item.node.dataset.level).toBe('urgent');
  });

  it('follows a change without waiting for a tick', () => {
    model.know({ state: endingIn(3 * HOUR) });
    expect(find('.jp-AutostopCountdown').textContent).toBe('3 h');
  });

  it('leaves the document alone while nothing that it shows has changed', async () => {
    const records: MutationRecord[] = [];
    const observer = new MutationObserver(list => records.push(...list));
    observer.observe(item.node, { attributes: true, childList: true, characterData: true, subtree: true });
    for (let second = 1; second <= 59; second += 1) {
      model.known = { ...model.known, state: endingIn(2 * HOUR + 59_999), now: NOON + second * 1000 };
      jest.advanceTimersByTime(1000);
    }
    await Promise.resolve();
    records.push(...observer.takeRecords());
    observer.disconnect();
    // From 2 h 13 min to 2 h, once: text, label and title.
    expect(records.length).toBeLessThanOrEqual(3);
    expect(find('.jp-AutostopCountdown').textContent).toBe('2 h');
  });

  it('has a badge and a note only when there is something in them', () => {
    expect(find('.jp-AutostopBadge').hidden).toBe(true);
    expect(find('.jp-AutostopStatus-note').hidden).toBe(true);
    model.know({
      state: stateOf({ emulated: true }),
      link: { kind: 'lost', message: 'No answer.', hint: null }
    });
    expect(find('.jp-AutostopBadge').hidden).toBe(false);
    expect(find('.jp-AutostopBadge').textContent).toBe('emulated');
    expect(find('.jp-AutostopStatus-note').textContent).toBe('no connection');
    model.know({ state: stateOf(), link: null });
    expect(find('.jp-AutostopBadge').hidden).toBe(true);
    expect(find('.jp-AutostopStatus-note').hidden).toBe(true);
  });

  it('changes its shape with the level and the state', () => {
    const shape = (): string | null => find('path').getAttribute('d');
    const shapes = new Set([shape()]);
    for (const state of [endingIn(10 * MINUTE), stateOf({ deadline: null, auto_stop: null }), null]) {
      model.know({ state });
      shapes.add(shape());
    }
    expect(shapes.size).toBe(4);
    expect(item.node.querySelectorAll('svg').length).toBe(1);
  });

  it('takes what comes from the cloud for text', () => {
    const evil = '<img src=x onerror="document.title=1">';
    model.know({
      state: stateOf({
        deadline: null,
        instance: { name: evil, status: evil },
        problem: { code: evil, message: evil, hint: evil }
      })
    });
    expect(item.node.querySelector('img')).toBeNull();
    expect(item.node.title).toContain(evil);
  });

  it('lets go of the model when disposed', () => {
    const situation = jest.spyOn(model, 'situation');
    item.dispose();
    model.changed.emit();
    jest.advanceTimersByTime(5000);
    expect(situation).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('the plugins', () => {
  const [modelPlugin, statusPlugin] = plugins;

  it('are two, each with an id of its own to be disabled by, and require nothing', () => {
    expect(plugins.map(plugin => plugin.id)).toEqual(['jupyter-autostop:model', 'jupyter-autostop:status']);
    expect(plugins.flatMap(plugin => plugin.requires ?? [])).toEqual([]);
  });

  it('ask nothing before somebody wants to know', () => {
    expect(modelPlugin?.autoStart).toBeFalsy();
    expect(statusPlugin?.autoStart).toBe(true);
  });

  it('show an item in the status bar, in a front end without translations', async () => {
    const registerStatusItem = jest.fn<
      { dispose(): void; isDisposed: boolean },
      [string, IStatusBar.IItem]
    >();
    const server = new FakeServer(() => json(stateOf()));
    const WebSocket = FakeSocket as unknown as typeof window.WebSocket;
    const app = {
      serviceManager: { serverSettings: server.settings({ WebSocket }) }
    } as unknown as JupyterFrontEnd;
    const made = (await modelPlugin?.activate(app, null)) as IAutostopModel;
    await statusPlugin?.activate(app, made, { registerStatusItem }, null);
    expect(registerStatusItem).toHaveBeenCalledTimes(1);
    const [id, { item: shown, align }] = registerStatusItem.mock.calls[0] ?? ['', { item: new Widget() }];
    expect(id).toBe('jupyter-autostop:status');
    expect(align).toBe('right');
    expect(shown.node.textContent).toContain('Looking up the stop time');
    shown.dispose();
    made.dispose();
  });

  it('do without the language that JupyterLab 4.0 does not tell', async () => {
    const registerStatusItem = jest.fn<
      { dispose(): void; isDisposed: boolean },
      [string, IStatusBar.IItem]
    >();
    const translator = { load: () => words.trans } as unknown as ITranslator;
    await statusPlugin?.activate({} as unknown as JupyterFrontEnd, model, { registerStatusItem }, translator);
    const shown = registerStatusItem.mock.calls[0]?.[1].item;
    expect(shown?.node.title).toContain('Stops Monday, November 23');
    shown?.dispose();
  });

  it('do nothing where there is no status bar, or no model', async () => {
    const app = {} as unknown as JupyterFrontEnd;
    const registerStatusItem = jest.fn();
    await statusPlugin?.activate(app, model, null, null);
    await statusPlugin?.activate(app, null, { registerStatusItem }, null);
    expect(registerStatusItem).not.toHaveBeenCalled();
  });
});

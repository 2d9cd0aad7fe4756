import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Message } from '@lumino/messaging';
import { MessageLoop } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Panel, PanelLayout, Widget } from '@lumino/widgets';

/**
 * What a panel's output is known by: `{"model_id": …}`, empty once the panel was closed.
 *
 * `"widget": false` says that the kernel has no ipywidgets.
 */
export const PANEL_MIME = 'application/vnd.jupyter-autostop.panel+json';
/** What ipywidgets' own outputs are known by; a container that holds a panel has both. */
const WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json';

/** The panels that their kernels have closed while this page was open. */
export class ClosedPanels {
  readonly changed = new Signal<this, string>(this);

  has(id: string): boolean {
    return this._ids.has(id);
  }

  add(id: string): void {
    this._ids.add(id);
    this.changed.emit(id);
  }

  private readonly _ids = new Set<string>();
}

/** Make what an output shows. */
export interface IOutputContents {
  /** The card with its controls. */
  card: () => Widget;
  /** The same of a kernel without ipywidgets, with a line that says what they would add. */
  plain: () => Widget;
  /** A picture of the same state without any control. */
  picture: () => Widget;
}

/**
 * An output that is the card, whatever the kernel does.
 *
 * ipywidgets' own renderer waits for the kernel, which is busy when a user needs more time. For a container
 * that holds a panel the card stands in until ipywidgets can draw the whole container.
 *
 * The renderer is registered as safe, so JupyterLab uses it for untrusted outputs too. Such an output gets the
 * picture alone: no control that its author could place, and no renderer that JupyterLab would not have used itself.
 */
export class PanelOutput extends Panel implements IRenderMime.IRenderer {
  /** @param registry - the page's renderers, for an output that belongs to no notebook, as in Voila */
  constructor(contents: IOutputContents, closed: ClosedPanels, registry: IRenderMimeRegistry | null = null) {
    super();
    this.addClass('jp-AutostopOutput');
    this._registry = registry;
    this._contents = contents;
    this._closed = closed;
    closed.changed.connect(this._update, this);
  }

  override dispose(): void {
    this._closed.changed.disconnect(this._update, this);
    super.dispose();
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._model = model;
    this._id = modelId(model);
    const shown = !model.trusted ? 'picture' : hasWidget(model) ? 'card' : 'plain';
    if (this._shown !== shown) {
      this._shown = shown;
      this._removeStock();
      [...this.widgets].forEach(widget => widget.dispose());
      this.addWidget(this._contents[shown]());
    }
    this._update();
    this._addStock();
    return Promise.resolve();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._addStock();
  }

  private _update(): void {
    this.setHidden(this._filled || this._id === '' || this._closed.has(this._id));
  }

  /**
   * Put ipywidgets' renderer of the same output beside this one, where the output is trusted.
   *
   * That renderer runs what the widgets' state says, which an untrusted notebook may have made up. It must be a child of the output itself: that is where its manager looks for those that wait for it.
   */
  private _addStock(): void {
    const model = this._model;
    const parent = this.parent;
    if (this._stock || !model?.trusted || !(WIDGET_VIEW in model.data)) {
      return;
    }
    const layout = parent?.layout instanceof PanelLayout ? parent.layout : null;
    const place = !parent && this.isAttached ? this.node.parentElement : null;
    const registry = layout ? registryOf(parent) : this._registry;
    if ((!layout && !place) || !registry?.mimeTypes.includes(WIDGET_VIEW)) {
      return;
    }
    const stock = registry.createRenderer(WIDGET_VIEW);
    this._stock = stock;
    stock.addClass('jp-OutputArea-output');
    // Hidden for as long as it only says that it is loading.
    stock.hide();
    MessageLoop.installMessageHook(stock, (_, message) => {
      if (message.type === 'child-added') {
        this._filled = true;
        stock.show();
        this._update();
      }
      return true;
    });
    if (layout) {
      layout.insertWidget(layout.widgets.indexOf(this) + 1, stock);
    } else if (place) {
      Widget.attach(stock, place, this.node.nextSibling as HTMLElement | null);
    }
    // What it cannot draw, the card goes on showing.
    void stock.renderModel(model).catch(() => undefined);
  }

  private _removeStock(): void {
    this._stock?.dispose();
    this._stock = null;
    this._filled = false;
  }

  private readonly _contents: IOutputContents;
  private readonly _closed: ClosedPanels;
  private readonly _registry: IRenderMimeRegistry | null;
  private _model: IRenderMime.IMimeModel | null = null;
  private _shown: keyof IOutputContents | null = null;
  private _id = 'unknown';
  private _stock: IRenderMime.IRenderer | null = null;
  private _filled = false;
}

/** The id of the panel's model; an output without one is a picture of its own, which no kernel closes. */
function modelId(model: IRenderMime.IMimeModel): string {
  const id = panelOf(model)?.model_id;
  return typeof id === 'string' ? id : 'none';
}

function hasWidget(model: IRenderMime.IMimeModel): boolean {
  return panelOf(model)?.widget !== false;
}

function panelOf(model: IRenderMime.IMimeModel): { model_id?: unknown; widget?: unknown } | null | undefined {
  return model.data[PANEL_MIME] as ReturnType<typeof panelOf>;
}

/** The renderers of the notebook that an output belongs to; each notebook has a registry of its own. */
function registryOf(widget: Widget | null): IRenderMimeRegistry | null {
  for (let above = widget; above; above = above.parent) {
    const { rendermime } = above as Widget & { rendermime?: IRenderMimeRegistry };
    if (rendermime) {
      return rendermime;
    }
  }
  return null;
}

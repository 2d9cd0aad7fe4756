import type * as Base from '@jupyter-widgets/base';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { Widget } from '@lumino/widgets';
import { PanelLayout } from '@lumino/widgets';

import type { IState } from '../api/types';
import { sameState } from '../model/compare';
import type { IAutostopModel } from '../tokens';
import type { ClosedPanels } from './mimeRenderer';

/**
 * The module that the panel's model and view belong to: a version of ipywidgets' own controls, which only we register.
 *
 * Pages without us (exported HTML, Voila, VS Code) take ipywidgets' HTML widget instead, which shows a picture of the
 * state. A module of another name they would ask a public CDN for, where we own no name.
 */
export const MODULE = '@jupyter-widgets/controls';
/** Higher than any version of the controls, and unlike those no match for what asks for them. */
export const MODULE_VERSION = '2.999.0-autostop.1';
const MODULE_RANGE = `^2.0.0 || ${MODULE_VERSION}`;

export interface IPanelOptions {
  model: IAutostopModel;
  card: () => Widget;
  closed: ClosedPanels;
}

/** The traits that follow the State: it as a whole, but for the time, and the parts that code asks for. */
function traits(state: IState): { [trait: string]: unknown } {
  const { version, deadline, auto_stop, holds, problem } = state;
  return { state: { ...state, server_time: undefined }, version, deadline, auto_stop, holds, problem };
}

/** The classes that ipywidgets makes models and views of; `base` is its own package, which may not be there. */
export function panelClasses(base: typeof Base, options: IPanelOptions): Base.ExportMap {
  const { model: autostop, card, closed } = options;

  class AutostopPanelModel extends base.DOMWidgetModel {
    // No field initialisers: Backbone calls `initialize` before they would run.
    declare private _kernel: Kernel.IKernelConnection | null;
    declare private _running: Set<string>;
    declare private _last: IState | null;

    override defaults(): ReturnType<Base.DOMWidgetModel['defaults']> {
      const names = { _model_module: MODULE, _model_name: 'HTMLModel', _view_module: MODULE };
      const versions = { _model_module_version: MODULE_RANGE, _view_module_version: MODULE_RANGE };
      return { ...super.defaults(), ...names, ...versions, _view_name: 'HTMLView', state: {} };
    }

    override initialize(
      attributes: Parameters<Base.DOMWidgetModel['initialize']>[0],
      more: Parameters<Base.DOMWidgetModel['initialize']>[1]
    ): void {
      super.initialize(attributes, more);
      this._running = new Set();
      this._last = null;
      // Only a manager in JupyterLab knows its kernel; elsewhere nothing is told.
      const manager = more.widget_manager as { kernel?: Kernel.IKernelConnection | null };
      this._kernel = manager.kernel ?? null;
      this._kernel?.iopubMessage.connect(this._onMessage, this);
      this._kernel?.statusChanged.connect(this._follow, this);
      autostop.changed.connect(this._follow, this);
      this.on('comm:close', () => closed.add(this.model_id));
      this.on('destroy', () => this._leave());
      this._follow();
    }

    /**
     * Tell the kernel what has changed, while it is idle.
     *
     * A message to a busy kernel that answers it beside the running cell makes the server report the kernel as idle,
     * and whatever ends idle kernels then ends the one that works.
     */
    private _follow(): void {
      const { state } = autostop;
      // Each message counts as activity, so none is sent for what merely passes with time.
      if (!state || sameState(state, this._last) || this._isBusy()) {
        return;
      }
      const first = this._last === null && sameState(state, this._known());
      this._last = state;
      if (!first) {
        this.set(traits(state));
        this.save_changes();
      }
    }

    private _isBusy(): boolean {
      return !this.comm_live || this._kernel?.status !== 'idle' || this._running.size > 0;
    }

    /** What the kernel's side has read itself when the panel was made, or another page has told it. */
    private _known(): IState | null {
      const known: unknown = this.get('state');
      const { state } = autostop;
      return state && known && Object.keys(known).length > 0 ? { ...state, ...known } : null;
    }

    /** What is running is known by its own messages: the kernel's status may be about something beside it. */
    private _onMessage(_: unknown, message: KernelMessage.IIOPubMessage): void {
      const parent = message.parent_header as Partial<KernelMessage.IHeader>;
      if (message.header.msg_type !== 'status' || parent.msg_type !== 'execute_request' || !parent.msg_id) {
        return;
      }
      const { execution_state } = message.content as KernelMessage.IStatusMsg['content'];
      if (execution_state === 'busy') {
        this._running.add(parent.msg_id);
      } else if (this._running.delete(parent.msg_id)) {
        // After the kernel's status has followed.
        setTimeout(() => this._follow());
      }
    }

    private _leave(): void {
      autostop.changed.disconnect(this._follow, this);
      this._kernel?.iopubMessage.disconnect(this._onMessage, this);
      this._kernel?.statusChanged.disconnect(this._follow, this);
    }
  }

  class AutostopPanelView extends base.DOMWidgetView {
    override render(): void {
      super.render();
      const layout = new PanelLayout();
      layout.addWidget(card());
      this.luminoWidget.layout = layout;
    }
  }

  return { HTMLModel: AutostopPanelModel, HTMLView: AutostopPanelView };
}

import type * as Base from '@jupyter-widgets/base';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IOutputContents } from './output';
import { ClosedPanels, PANEL_MIME, PanelOutput } from './output';
import type { IAutostopModel } from './tokens';
import type { IPanelOptions } from './widget';
import { MODULE, panelClasses } from './widget';

/** Of the contract between page and kernel, which may be of two releases. */
const CONTRACT = '1.0.0';
/** Before ipywidgets' own outputs: the lowest rank wins. */
const RANK = -20;
const SOURCE = '%load_ext jupyter_autostop\n%autostop';

/** Show panels in outputs, and in ipywidgets' containers where this JupyterLab has ipywidgets. */
export function showPanels(
  app: JupyterFrontEnd,
  registry: IRenderMimeRegistry,
  model: IAutostopModel,
  contents: IOutputContents
): void {
  const closed = new ClosedPanels();
  // At once: each notebook takes a copy of the registry when it is opened.
  registry.addFactory(
    { safe: true, mimeTypes: [PANEL_MIME], createRenderer: () => new PanelOutput(contents, closed) },
    RANK
  );
  void register(app, { model, card: contents.card, closed, version: CONTRACT });
}

async function register(app: JupyterFrontEnd, options: IPanelOptions): Promise<void> {
  const base = await importWidgets();
  if (!base) {
    return;
  }
  const registry = await app.resolveOptionalService(base.IJupyterWidgetRegistry);
  registry?.registerWidget({ name: MODULE, version: CONTRACT, exports: panelClasses(base, options) });
}

/** Import ipywidgets' package, which another extension shares; null where that is not installed. */
async function importWidgets(): Promise<typeof Base | null> {
  try {
    return await import('@jupyter-widgets/base');
  } catch {
    return null;
  }
}

/** Add the command that inserts a panel. It stands there at once, also while another cell is running. */
export function addInsert(app: JupyterFrontEnd, tracker: INotebookTracker, trans: TranslationBundle): void {
  app.commands.addCommand('jupyter-autostop:insert-panel', {
    label: trans.__('Insert Auto-Stop Panel'),
    caption: trans.__('Add a cell with the countdown and its controls below the selected one.'),
    describedBy: { args: { type: 'object', properties: {}, additionalProperties: false } },
    isEnabled: () => tracker.currentWidget !== null,
    execute: async () => {
      await app.commands.execute('notebook:insert-cell-below');
      const cell = tracker.activeCell?.model;
      if (cell?.type === 'code') {
        cell.sharedModel.setSource(SOURCE);
        const plain = trans.__('The auto-stop panel: run this cell to see the state.');
        const data = { [PANEL_MIME]: { version: 1, model_id: null }, 'text/plain': plain };
        (cell as ICodeCellModel).outputs.add({ output_type: 'display_data', data, metadata: {} });
      }
    }
  });
}

import type * as Base from '@jupyter-widgets/base';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IOutputContents } from './output';
import { ClosedPanels, PANEL_MIME, PanelOutput } from './output';
import { findService } from './service';
import type { IAutostopModel } from './tokens';
import type { IPanelOptions } from './widget';
import { MODULE, MODULE_VERSION, panelClasses } from './widget';

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
    {
      safe: true,
      mimeTypes: [PANEL_MIME],
      createRenderer: () => new PanelOutput(contents, closed, registry)
    },
    RANK
  );
  void register(app, { model, card: contents.card, closed });
}

/** Register the panel's model and view where this front end has ipywidgets; outputs show the card without it too. */
async function register(app: JupyterFrontEnd, options: IPanelOptions): Promise<void> {
  const importBase = (): Promise<typeof Base> => import('@jupyter-widgets/base');
  const registry = await findService(app, async () => (await importBase()).IJupyterWidgetRegistry);
  registry?.registerWidget({
    name: MODULE,
    version: MODULE_VERSION,
    exports: panelClasses(await importBase(), options)
  });
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

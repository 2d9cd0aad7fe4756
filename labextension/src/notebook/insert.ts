import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import { PANEL_MIME } from './mimeRenderer';

const SOURCE = '%load_ext jupyter_autostop\n%autostop';

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

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker as ITracker } from '@jupyterlab/notebook';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CardWidget } from './card';
import { ClosedPanels, PANEL_MIME, PanelOutput } from './output';
import { IAutostopModel } from './tokens';
import type { IPanelOptions } from './widget';
import { MODULE, panelClasses } from './widget';
import { wordsOf } from './words';

/** The version of the widgets' protocol, which kernel and page must agree on. */
const PROTOCOL = '1.0.0';
const SOURCE = '%load_ext jupyter_autostop\n%autostop';

/** Shows the panel in outputs and in ipywidgets' containers, with or without ipywidgets and a kernel. */
export const notebookWidget: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-autostop:notebook-widget',
  description: 'Shows the panel that a notebook asks for.',
  autoStart: true,
  requires: [IRenderMimeRegistry, IAutostopModel],
  optional: [INotebookTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    registry: IRenderMimeRegistry,
    model: IAutostopModel,
    tracker: ITracker | null,
    translator: ITranslator | null
  ) => {
    const words = wordsOf(translator ?? nullTranslator);
    const closed = new ClosedPanels();
    const card = () => new CardWidget({ model, words });
    // At once: each notebook takes a copy of the registry when it is opened.
    registry.addFactory(
      { safe: true, mimeTypes: [PANEL_MIME], createRenderer: () => new PanelOutput(card, closed) },
      -20
    );
    void register(app, { model, card, closed, version: PROTOCOL });
    if (tracker) {
      addInsert(app, tracker, words.trans);
    }
  }
};

async function register(app: JupyterFrontEnd, options: IPanelOptions): Promise<void> {
  let base;
  try {
    base = await import('@jupyter-widgets/base');
  } catch {
    return; // no ipywidgets in this JupyterLab: outputs show the card all the same
  }
  const registry = await app.resolveOptionalService(base.IJupyterWidgetRegistry);
  registry?.registerWidget({ name: MODULE, version: PROTOCOL, exports: panelClasses(base, options) });
}

/** The panel stands there at once, before the cell has run and while another one is running. */
function addInsert(app: JupyterFrontEnd, tracker: ITracker, trans: TranslationBundle): void {
  app.commands.addCommand('jupyter-autostop:insert-panel', {
    label: trans.__('Insert Auto-stop Panel'),
    caption: trans.__('Add a cell with the countdown and its controls below the selected one.'),
    isEnabled: () => tracker.currentWidget !== null,
    execute: async () => {
      await app.commands.execute('notebook:insert-cell-below');
      const cell = tracker.activeCell?.model;
      if (cell?.type !== 'code') {
        return;
      }
      cell.sharedModel.setSource(SOURCE);
      const data = { [PANEL_MIME]: {}, 'text/plain': trans.__('The auto-stop panel; run this cell to see the state.') };
      (cell as ICodeCellModel).outputs.add({ output_type: 'display_data', data, metadata: {} });
    }
  });
}

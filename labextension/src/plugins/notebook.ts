import type * as Base from '@jupyter-widgets/base';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator } from '@jupyterlab/translation';

import { Picture } from '../components/Card';
import { addInsert } from '../notebook/insert';
import type { IOutputContents } from '../notebook/mimeRenderer';
import { ClosedPanels, PANEL_MIME, PanelOutput } from '../notebook/mimeRenderer';
import type { IPanelOptions } from '../notebook/widgetModel';
import { MODULE, MODULE_VERSION, panelClasses } from '../notebook/widgetModel';
import { IAutostopModel } from '../tokens';
import { CardWidget } from '../widgets/cardWidget';
import { dialogs } from '../widgets/dialogs';
import { cardOf, findService, findTracker, wordsOf } from './shared';

/** Before ipywidgets' own outputs: the lowest rank wins. */
const RANK = -20;

export const notebookWidget: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-autostop:notebook-widget',
  description: 'Shows the countdown and its controls in notebooks that ask for them.',
  autoStart: true,
  optional: [IAutostopModel, IRenderMimeRegistry, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    autostop: IAutostopModel | null,
    registry: IRenderMimeRegistry | null,
    translator: ITranslator | null
  ) => {
    if (!autostop || !registry) {
      return;
    }
    const words = wordsOf(translator);
    const { trans } = words;
    const { ask } = dialogs(trans);
    const plain = trans.__(
      "With ipywidgets 8 in this kernel's environment the panel is a widget, too: it can stand in a VBox or Tab, and code can observe it."
    );
    const untrusted = trans.__('Trust this notebook to use the controls.');
    showPanels(app, registry, autostop, {
      card: () => cardOf(autostop, words),
      plain: () => new CardWidget({ model: autostop, words, ask, hint: plain }),
      picture: () => new CardWidget({ model: autostop, words, ask, hint: untrusted }, Picture)
    });
    const tracker = await findTracker(app);
    if (tracker) {
      addInsert(app, tracker, words.trans);
    }
  }
};

/** Show panels in outputs, and in ipywidgets' containers where this JupyterLab has ipywidgets. */
function showPanels(
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

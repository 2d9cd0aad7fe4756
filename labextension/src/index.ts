import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Events } from './events';
import { AutostopModel } from './model';
import { StatusItem } from './status';
import { IAutostopModel } from './tokens';

const DOMAIN = 'jupyter_autostop';

/** Asks the server when something shows the answer: it starts with the first plugin that wants it. */
const model: JupyterFrontEndPlugin<IAutostopModel> = {
  id: 'jupyter-autostop:model',
  description: 'Knows when the instance that runs this server stops.',
  provides: IAutostopModel,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const settings = app.serviceManager.serverSettings;
    const { stream, opened } = new Events(settings);
    return new AutostopModel({
      settings,
      trans: (translator ?? nullTranslator).load(DOMAIN),
      events: stream,
      opened
    });
  }
};

const status: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-autostop:status',
  description: 'Shows the time until the instance stops in the status bar.',
  autoStart: true,
  optional: [IAutostopModel, IStatusBar, ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    autostop: IAutostopModel | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!autostop || !statusBar) {
      return;
    }
    const language = translator ?? nullTranslator;
    const item = new StatusItem(autostop, {
      trans: language.load(DOMAIN),
      locale: localeOf(language)
    });
    // Towards the middle: a window too narrow for all items cuts off the outer ones, or those without
    // a priority, and where the cursor is can be seen elsewhere.
    statusBar.registerStatusItem(status.id, { item, align: 'right', rank: 10, priority: 1 });
  }
};

/** JupyterLab 4.0 has translations but does not tell their language: the browser's own then. */
function localeOf(translator: { readonly languageCode?: string }): string {
  return (translator.languageCode ?? navigator.language).replace('_', '-');
}

export { IAutostopModel } from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [model, status];
export default plugins;

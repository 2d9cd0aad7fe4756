import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator } from '@jupyterlab/translation';

import { Events } from '../model/events';
import { AutostopModel } from '../model/model';
import { PageZone } from '../model/pageZone';
import { browserClock } from '../model/serverTime';
import { IAutostopModel } from '../tokens';
import { findTracker, wordsOf } from './shared';

/** Asks the server when something shows the answer: it starts with the first plugin that wants it. */
export const model: JupyterFrontEndPlugin<IAutostopModel> = {
  id: 'jupyter-autostop:model',
  description: 'Knows when the instance that runs this server stops.',
  provides: IAutostopModel,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const settings = app.serviceManager.serverSettings;
    const { stream, turned } = new Events(settings);
    void findTracker(app).then(
      tracker => new PageZone({ connection: { settings, clock: browserClock }, tracker })
    );
    return new AutostopModel({ settings, trans: wordsOf(translator).trans, events: stream, turned });
  }
};

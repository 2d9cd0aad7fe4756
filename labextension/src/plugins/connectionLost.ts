import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ConnectionLost, IConnectionLost } from '@jupyterlab/application';
import { ITranslator } from '@jupyterlab/translation';

import type { IWords } from '../format/words';
import { IAutostopModel } from '../tokens';
import { farewell, hasGone } from '../view/serverGone';
import type { IDialogs } from '../widgets/dialogs';
import { dialogs } from '../widgets/dialogs';
import { wordsOf } from './shared';

/**
 * What JupyterLab calls when its server no longer answers: it says so where the instance has stopped.
 *
 * @param otherwise - says that the connection is lost, for every other reason.
 */
export function sayingItHasStopped(
  model: IAutostopModel,
  words: IWords,
  { insist }: Pick<IDialogs, 'insist'>,
  otherwise: IConnectionLost
): IConnectionLost {
  let told: number | null = null;
  return async (manager, error, translator) => {
    // JupyterLab may notice before we do.
    await model.refresh();
    const situation = model.situation();
    if (!hasGone(situation)) {
      return otherwise(manager, error, translator);
    }
    // JupyterLab calls at each try to reconnect, and one end is told once.
    if (situation.confirmedAt !== told) {
      told = situation.confirmedAt;
      await insist(words.trans.__('The instance has stopped'), farewell(situation, words).join('\n'));
    }
  };
}

export const connectionLost: JupyterFrontEndPlugin<IConnectionLost> = {
  id: 'jupyter-autostop:connection-lost',
  description: 'Says that the instance has stopped, where JupyterLab would only say that its server is gone.',
  autoStart: true,
  provides: IConnectionLost,
  optional: [IAutostopModel, ITranslator],
  activate: (_app: JupyterFrontEnd, autostop: IAutostopModel | null, translator: ITranslator | null) => {
    const words = wordsOf(translator);
    return autostop
      ? sayingItHasStopped(autostop, words, dialogs(words.trans), ConnectionLost)
      : ConnectionLost;
  }
};

import type { IConnectionLost } from '@jupyterlab/application';

import type { IDialogs } from './dialogs';
import { farewell, hasGone } from './gone';
import type { IAutostopModel } from './tokens';
import type { IWords } from './view';

/**
 * What JupyterLab calls when its server no longer answers: it says so where the instance has stopped.
 *
 * @param otherwise - says that the connection is lost, for every other reason.
 */
export function connectionLost(
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

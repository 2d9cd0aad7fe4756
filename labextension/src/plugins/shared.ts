import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';
import { nullTranslator } from '@jupyterlab/translation';
import type { Token } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import type { IWords } from '../format/words';
import type { IAutostopModel } from '../tokens';
import { CardWidget } from '../widgets/cardWidget';
import { dialogs } from '../widgets/dialogs';
import { Popover } from '../widgets/popover';
import type { IStatusOptions } from '../widgets/statusItem';
import { StatusItem } from '../widgets/statusItem';

const DOMAIN = 'jupyter_autostop';

/**
 * Find a service of a package that not every front end shares; null where the package or the service is missing.
 *
 * A package that is imported at the top of a module must be there, or none of our plugins loads.
 */
export async function findService<T>(
  app: JupyterFrontEnd,
  importToken: () => Promise<Token<T>>
): Promise<T | null> {
  let token: Token<T>;
  try {
    token = await importToken();
  } catch {
    return null;
  }
  return app.resolveOptionalService(token);
}

export function findTracker(app: JupyterFrontEnd): Promise<INotebookTracker | null> {
  return findService(app, async () => (await import('@jupyterlab/notebook')).INotebookTracker);
}

/** Makes countdowns that open the one card beside the one that was pressed. */
export function itemMaker(
  autostop: IAutostopModel,
  words: IWords,
  name: IStatusOptions['name']
): () => StatusItem {
  const popover = new Popover(() => cardOf(autostop, words), words.trans);
  return () => new StatusItem({ model: autostop, words, name, toggle: item => popover.toggle(item) });
}

export function cardOf(autostop: IAutostopModel, words: IWords): Widget {
  return new CardWidget({ model: autostop, words, ask: dialogs(words.trans).ask });
}

export function wordsOf(translator: ITranslator | null): IWords {
  const language: Partial<Pick<ITranslator, 'languageCode'>> & Pick<ITranslator, 'load'> =
    translator ?? nullTranslator;
  // JupyterLab 4.0 has translations but does not tell their language: the browser's own then.
  const locale = (language.languageCode ?? navigator.language).replace('_', '-');
  return { trans: language.load(DOMAIN), locale };
}

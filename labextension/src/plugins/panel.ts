import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ITranslator } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';

import { IAutostopModel } from '../tokens';
import { svgOf } from '../view/icons';
import { cardOf, wordsOf } from './shared';

/** The id of the card in the side panel, where one is. */
export const PANEL = 'jupyter-autostop-panel';

export const panel: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-autostop:panel',
  description: 'Shows the countdown and its controls in a side panel.',
  autoStart: true,
  optional: [IAutostopModel, ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    autostop: IAutostopModel | null,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ) => {
    if (!autostop) {
      return;
    }
    const words = wordsOf(translator);
    const card = cardOf(autostop, words);
    card.id = PANEL;
    card.node.tabIndex = -1;
    card.addClass('jp-AutostopPanel');
    card.title.caption = words.trans.__('Auto-Stop');
    card.title.icon = new LabIcon({ name: 'jupyter-autostop:clock', svgstr: svgOf('clock') });
    app.shell.add(card, 'right', { rank: 950 });
    restorer?.add(card, PANEL);
  }
};

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator } from '@jupyterlab/translation';

import { COMMANDS, commandId, Commands } from '../commands/commands';
import { IAutostopModel } from '../tokens';
import { dialogs } from '../widgets/dialogs';
import { PANEL } from './panel';
import { wordsOf } from './shared';

export const commands: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-autostop:commands',
  description: 'Adds commands that move the stop time; each asks first.',
  autoStart: true,
  optional: [IAutostopModel, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    autostop: IAutostopModel | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    if (!autostop) {
      return;
    }
    const words = wordsOf(translator);
    new Commands({
      commands: app.commands,
      model: autostop,
      words,
      dialogs: dialogs(words.trans),
      showPanel: () => {
        app.shell.activateById(PANEL);
        document.getElementById(PANEL)?.focus();
      }
    });
    const category = words.trans.__('Auto-Stop');
    COMMANDS.forEach(command => palette?.addItem({ command: commandId(command), category }));
  }
};

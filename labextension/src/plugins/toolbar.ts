import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { ITranslator } from '@jupyterlab/translation';

import { IAutostopModel } from '../tokens';
import { itemMaker, wordsOf } from './shared';

export const toolbar: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-autostop:toolbar',
  description: 'Shows the time until the instance stops in the toolbar of notebooks.',
  autoStart: true,
  optional: [IAutostopModel, IToolbarWidgetRegistry, ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    autostop: IAutostopModel | null,
    toolbars: IToolbarWidgetRegistry | null,
    translator: ITranslator | null
  ) => {
    if (autostop) {
      toolbars?.addFactory(
        'Notebook',
        'autostop',
        itemMaker(autostop, wordsOf(translator), 'jp-AutostopChip')
      );
    }
  }
};

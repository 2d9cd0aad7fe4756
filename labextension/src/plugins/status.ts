import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { IAutostopModel } from '../tokens';
import { findService, itemMaker, wordsOf } from './shared';

export const status: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-autostop:status',
  description: 'Shows the time until the instance stops in the status bar.',
  autoStart: true,
  optional: [IAutostopModel, ITranslator, ISettingRegistry],
  activate: async (
    app: JupyterFrontEnd,
    autostop: IAutostopModel | null,
    translator: ITranslator | null,
    settings: ISettingRegistry | null
  ) => {
    if (!autostop) {
      return;
    }
    const statusBar = await findService(app, async () => (await import('@jupyterlab/statusbar')).IStatusBar);
    if (!statusBar) {
      return;
    }
    const item = itemMaker(autostop, wordsOf(translator), 'jp-AutostopStatus')();
    const changed = new Signal<unknown, void>(item);
    let visible = true;
    // Towards the middle: a window too narrow for all items cuts off the outer ones, or those without
    // a priority, and where the cursor is can be seen elsewhere.
    statusBar.registerStatusItem(status.id, {
      ...{ item, align: 'right', rank: 10, priority: 1 },
      // An item that hides by itself is shown again by the bar whenever the bar is drawn anew.
      isActive: () => visible,
      activeStateChanged: changed
    });
    // Where they cannot be read it is as it is by default.
    void settings?.load(status.id).then(
      loaded => {
        const apply = (): void => {
          visible = loaded.composite.visible !== false;
          changed.emit();
        };
        loaded.changed.connect(apply);
        apply();
      },
      () => undefined
    );
  }
};

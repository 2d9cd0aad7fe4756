import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ConnectionLost, IConnectionLost, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

import { CardWidget, Picture } from './card';
import { browserClock } from './clock';
import { COMMANDS, commandId, Commands } from './commands';
import { connectionLost } from './connectionLost';
import { dialogs } from './dialogs';
import { Events } from './events';
import { svgOf } from './icons';
import { AutostopModel } from './model';
import { addInsert, showPanels } from './notebook';
import { PageZone } from './pageZone';
import { Popover } from './popover';
import { findService } from './service';
import type { IStatusOptions } from './status';
import { StatusItem } from './status';
import { IAutostopModel } from './tokens';
import type { IWords } from './view';

const DOMAIN = 'jupyter_autostop';
const PANEL = 'jupyter-autostop-panel';

/** Asks the server when something shows the answer: it starts with the first plugin that wants it. */
const model: JupyterFrontEndPlugin<IAutostopModel> = {
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

const status: JupyterFrontEndPlugin<void> = {
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

const toolbar: JupyterFrontEndPlugin<void> = {
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

const panel: JupyterFrontEndPlugin<void> = {
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

const commands: JupyterFrontEndPlugin<void> = {
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

const lost: JupyterFrontEndPlugin<IConnectionLost> = {
  id: 'jupyter-autostop:connection-lost',
  description: 'Says that the instance has stopped, where JupyterLab would only say that its server is gone.',
  autoStart: true,
  provides: IConnectionLost,
  optional: [IAutostopModel, ITranslator],
  activate: (_app: JupyterFrontEnd, autostop: IAutostopModel | null, translator: ITranslator | null) => {
    const words = wordsOf(translator);
    return autostop ? connectionLost(autostop, words, dialogs(words.trans), ConnectionLost) : ConnectionLost;
  }
};

const notebookWidget: JupyterFrontEndPlugin<void> = {
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

function findTracker(app: JupyterFrontEnd): Promise<INotebookTracker | null> {
  return findService(app, async () => (await import('@jupyterlab/notebook')).INotebookTracker);
}

/** Makes countdowns that open the one card beside the one that was pressed. */
function itemMaker(autostop: IAutostopModel, words: IWords, name: IStatusOptions['name']): () => StatusItem {
  const popover = new Popover(() => cardOf(autostop, words), words.trans);
  return () => new StatusItem({ model: autostop, words, name, toggle: item => popover.toggle(item) });
}

function cardOf(autostop: IAutostopModel, words: IWords): Widget {
  return new CardWidget({ model: autostop, words, ask: dialogs(words.trans).ask });
}

function wordsOf(translator: ITranslator | null): IWords {
  const language: Partial<Pick<ITranslator, 'languageCode'>> & Pick<ITranslator, 'load'> =
    translator ?? nullTranslator;
  // JupyterLab 4.0 has translations but does not tell their language: the browser's own then.
  const locale = (language.languageCode ?? navigator.language).replace('_', '-');
  return { trans: language.load(DOMAIN), locale };
}

export { IAutostopModel } from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [model, status, toolbar, panel, commands, notebookWidget];
// JupyterHub has a dialog of its own, which offers to start the server again.
if (!PageConfig.getOption('hubPrefix')) {
  plugins.push(lost);
}
export default plugins;

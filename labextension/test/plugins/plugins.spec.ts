import type { JupyterFrontEnd } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { StatusBar } from '@jupyterlab/statusbar/lib/statusbar';
import type { ITranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import type { Token } from '@lumino/coreutils';
import { MessageLoop } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import * as commandsSchema from '../../schema/commands.json';
import * as statusSchema from '../../schema/status.json';
import * as toolbarSchema from '../../schema/toolbar.json';
import { COMMANDS, commandId } from '../../src/commands/commands';
import plugins from '../../src/index';
import type { IAutostopModel } from '../../src/tokens';
import { FakeModel } from '../fakes';
import { stateOf, words } from '../samples';
import { FakeServer, FakeSocket, json } from '../server';

const [model, status, toolbar, panel, commands] = plugins;

const nowhere = {} as unknown as JupyterFrontEnd;

/** A front end with a status bar, or without any service. */
function frontEnd(bar: IStatusBar | null = null): JupyterFrontEnd {
  const resolveOptionalService = (token: Token<unknown>): Promise<unknown> =>
    Promise.resolve(token === IStatusBar ? bar : null);
  return { resolveOptionalService } as unknown as JupyterFrontEnd;
}

let autostop: FakeModel;

beforeEach(() => {
  autostop = new FakeModel();
});

afterEach(() => {
  autostop.ticker.dispose();
});

function statusBar(): { bar: IStatusBar; shown: () => Widget } {
  const registerStatusItem = jest.fn<{ dispose(): void; isDisposed: boolean }, [string, IStatusBar.IItem]>();
  const shown = (): Widget => {
    const item = registerStatusItem.mock.calls[0]?.[1].item;
    if (!item) {
      throw new Error('Nothing is in the status bar.');
    }
    return item;
  };
  return { bar: { registerStatusItem }, shown };
}

describe('the plugins', () => {
  it('each have an id of their own to be disabled by, and require nothing', () => {
    expect(plugins.map(plugin => plugin.id)).toEqual(
      ['model', 'status', 'toolbar', 'panel', 'commands', 'notebook-widget', 'connection-lost'].map(
        name => `jupyter-autostop:${name}`
      )
    );
    expect(plugins.flatMap(plugin => plugin.requires ?? [])).toEqual([]);
    expect(plugins.every(plugin => plugin.description)).toBe(true);
  });

  it('ask nothing before somebody wants to know', () => {
    expect(plugins.filter(plugin => !plugin.autoStart)).toEqual([model]);
  });

  it('show an item in the status bar, in a front end without translations or settings', async () => {
    const server = new FakeServer(() => json(stateOf()));
    const WebSocket = FakeSocket as unknown as typeof window.WebSocket;
    const app = {
      resolveOptionalService: frontEnd().resolveOptionalService,
      serviceManager: { serverSettings: server.settings({ WebSocket }) }
    } as unknown as JupyterFrontEnd;
    const made = (await model?.activate(app, null)) as IAutostopModel;
    const { bar, shown } = statusBar();
    await status?.activate(frontEnd(bar), made, null, null);
    expect(shown().node.textContent).toContain('Looking up the stop time');
    shown().dispose();
    made.dispose();
  });

  it('do without the language that JupyterLab 4.0 does not tell', async () => {
    const translator = { load: () => words.trans } as unknown as ITranslator;
    const { bar, shown } = statusBar();
    await status?.activate(frontEnd(bar), autostop, translator, null);
    expect(shown().node.title).toContain('Stops Monday, November 23');
    shown().dispose();
  });

  it('hide the item in the status bar, and show it again, as the setting says', async () => {
    const settings = { composite: { visible: false }, changed: new Signal<object, void>({}) };
    const load = jest.fn(() => Promise.resolve(settings));
    const bar = new StatusBar();
    const isShown = (): boolean => {
      // As when the bar is put into the page, or the window gets another size.
      MessageLoop.sendMessage(bar, Widget.Msg.UpdateRequest);
      return bar.node.querySelector('.jp-AutostopStatus:not(.lm-mod-hidden)') !== null;
    };
    await status?.activate(frontEnd(bar), autostop, null, { load });
    await Promise.resolve();
    await Promise.resolve();
    expect(load).toHaveBeenCalledWith('jupyter-autostop:status');
    expect(isShown()).toBe(false);
    settings.composite.visible = true;
    settings.changed.emit();
    expect(isShown()).toBe(true);
    settings.composite.visible = false;
    settings.changed.emit();
    expect(isShown()).toBe(false);
    bar.dispose();
  });

  it('show the item where the settings cannot be loaded', async () => {
    const load = (): Promise<never> => Promise.reject(new Error('no such plugin'));
    const { bar, shown } = statusBar();
    await status?.activate(frontEnd(bar), autostop, null, { load });
    await Promise.resolve();
    expect(shown().isHidden).toBe(false);
    shown().dispose();
  });

  it('put a chip into the toolbar of each notebook, where the schema names it', async () => {
    const addFactory = jest.fn<undefined, [string, string, () => Widget]>();
    await toolbar?.activate(nowhere, autostop, { addFactory }, null);
    const [factory, name, make] = addFactory.mock.calls[0] ?? [];
    expect(toolbarSchema['jupyter.lab.toolbars']).toEqual({ [factory ?? '']: [{ name, rank: 50 }] });
    const chips = [make?.(), make?.()];
    expect(chips[0]?.node.textContent).toContain('2 h 13 min');
    expect(chips[0]).not.toBe(chips[1]);
    chips.forEach(chip => chip?.dispose());
  });

  it('add a side panel with an icon, and have it restored', async () => {
    const add = jest.fn<undefined, [Widget, string]>();
    const restorer = { add: jest.fn() };
    await panel?.activate({ shell: { add } } as unknown as JupyterFrontEnd, autostop, null, restorer);
    const [card, area] = add.mock.calls[0] ?? [];
    expect(area).toBe('right');
    expect(card?.title.caption).toBe('Auto-Stop');
    expect(card?.title.icon).toMatchObject({ name: 'jupyter-autostop:clock' });
    expect(restorer.add).toHaveBeenCalledWith(card, card?.id);
    card?.dispose();
  });

  it('add every command, to the palette too', async () => {
    const app = { commands: new CommandRegistry(), shell: { activateById: jest.fn() } };
    const palette = { addItem: jest.fn<undefined, [{ command: string; category: string }]>() };
    await commands?.activate(app as unknown as JupyterFrontEnd, autostop, palette, null);
    expect(app.commands.listCommands().sort()).toEqual(COMMANDS.map(commandId).sort());
    expect(palette.addItem.mock.calls.map(([item]) => item.command).sort()).toEqual(
      COMMANDS.map(commandId).sort()
    );
    await app.commands.execute('jupyter-autostop:show-panel');
    expect(app.shell.activateById).toHaveBeenCalledWith('jupyter-autostop-panel');
  });

  it('do nothing where what they stand in, or the model, is missing', async () => {
    const untouchable = new Proxy(
      {},
      {
        get: (_, name) => {
          throw new Error(`asked for ${String(name)}`);
        }
      }
    ) as unknown as JupyterFrontEnd;
    for (const plugin of [status, toolbar, panel, commands]) {
      await plugin?.activate(untouchable, null, null, null, null);
    }
    await toolbar?.activate(untouchable, autostop, null, null);
    await expect(status?.activate(frontEnd(), autostop, null, null)).resolves.toBeUndefined();
  });
});

describe('a front end that shares fewer packages', () => {
  const missing = ['@jupyterlab/statusbar', '@jupyterlab/notebook', '@jupyter-widgets/base'];

  afterEach(() => {
    missing.forEach(name => jest.dontMock(name));
    jest.resetModules();
  });

  it('still loads every plugin, and shows panels', async () => {
    jest.resetModules();
    for (const name of missing) {
      jest.doMock(name, () => {
        throw new Error(`Shared module ${name} doesn't exist in shared scope default`);
      });
    }
    const { default: loaded } = (await import('../../src/index')) as { default: typeof plugins };
    const registry = { addFactory: jest.fn() };
    const [, bar, , , , notebook] = loaded;
    await bar?.activate(frontEnd(), autostop, null, null);
    await notebook?.activate(frontEnd(), autostop, registry, null);
    expect(registry.addFactory).toHaveBeenCalledTimes(1);
  });
});

describe('the schemas', () => {
  it('name no command that there is not', () => {
    const named = [...JSON.stringify(commandsSchema).matchAll(/"command":"([^"]*)"/g)].map(match => match[1]);
    expect(new Set(named)).toEqual(new Set(COMMANDS.map(commandId)));
  });

  it('belong to plugins of ours', () => {
    expect(statusSchema.properties.visible.default).toBe(true);
  });
});

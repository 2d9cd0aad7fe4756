import type * as Container from '../src/container';

interface ITaken {
  get: () => Promise<() => unknown>;
  loaded?: number;
}

/** What the packer fills in: the packages of the front end, in the order of their names. */
const globals: { PACKAGES: unknown[] } & { [name: string]: unknown } = { PACKAGES: [] };

/** The container as the packer leaves it, which needs some packages and does without the optional one. */
async function containerOf(names: string[], optional = ''): Promise<typeof Container> {
  Object.assign(globals, {
    NAMES: names,
    OPTIONAL: optional,
    PACKAGES: [],
    INDEX: jest.fn(() => ({ __esModule: true, default: 'our plugins', seen: [...globals.PACKAGES] })),
    STYLE: jest.fn(() => ({ __esModule: true }))
  });
  Object.assign(globalThis, globals);
  jest.resetModules();
  return import('../src/container');
}

function offer(what: string): ITaken {
  return { get: jest.fn(() => Promise.resolve(() => what)) };
}

describe('the container', () => {
  it('takes each package once, the version that is in use, before anything of ours runs', async () => {
    const container = await containerOf(['react', '@lumino/widgets']);
    const used = { ...offer('18.3'), loaded: 1 };
    const unused = offer('19.0');
    const widgets = offer('2.8');
    container.init({ react: { '19.0.0': unused, '18.3.1': used }, '@lumino/widgets': { '2.8.0': widgets } });
    const factories = await Promise.all([container.get('./extension'), container.get('./index')]);
    const ours = expect.objectContaining({ default: 'our plugins', seen: ['18.3', '2.8'] }) as unknown;
    expect(factories.map(factory => factory())).toEqual([ours, ours]);
    expect(globals.PACKAGES).toEqual(['18.3', '2.8']);
    expect(used.get).toHaveBeenCalledTimes(1);
    expect(unused.get).not.toHaveBeenCalled();
  });

  it('names a package that the front end does not share', async () => {
    const container = await containerOf(['@jupyterlab/statusbar']);
    container.init({});
    await expect(container.get('./extension')).rejects.toThrow(/needs @jupyterlab\/statusbar, which/);
  });

  it('does without a package of another extension that is not there', async () => {
    const container = await containerOf(['@jupyter-widgets/base', 'other'], '@jupyter-widgets/base');
    container.init({ other: { '1.0.0': offer('theirs') } });
    await container.get('./extension');
    expect(globals.PACKAGES).toEqual([undefined, 'theirs']);
  });
});

/**
 * What JupyterLab asks a prebuilt extension for: the two functions of a module federation container.
 *
 * A bundler's own container weighs 13 KB, most of it to choose among versions that a front end never
 * offers: JupyterLab gives every extension the packages that it runs with.
 */

interface IShared {
  get: () => Promise<() => unknown> | (() => unknown);
  /** Somebody uses this one. */
  loaded?: unknown;
}

interface IScope {
  [name: string]: { [version: string]: IShared } | undefined;
}

/** Filled in by the packer: what is taken from the front end, and which of it may be missing there. */
declare const NAMES: string[];
declare const OPTIONAL: string;
/** The packages of the front end, in that order; what is imported from them is looked up here. */
declare const PACKAGES: unknown[];
/** Our modules; what they import must be there when they are run. */
declare const INDEX: () => unknown;
declare const STYLE: () => unknown;

let scope: IScope = {};
let ready: Promise<unknown> | null = null;
const modules: { [name: string]: unknown } = {};

export function init(given: IScope): void {
  scope = given;
}

/** The factory of a module of ours, once everything that it imports is there. */
export async function get(name: string): Promise<() => unknown> {
  ready ??= Promise.all(NAMES.map(load));
  await ready;
  const module = (modules[name] ??= name === './style' ? STYLE() : INDEX());
  return () => module;
}

async function load(name: string, index: number): Promise<void> {
  try {
    const versions = Object.values(scope[name] ?? {});
    const found = versions.find(version => version.loaded) ?? versions[0];
    if (!found) {
      throw new Error(`jupyter-autostop needs ${name}, which this front end does not share.`);
    }
    PACKAGES[index] = (await found.get())();
  } catch (error) {
    // What comes from another extension, or does not.
    if (name !== OPTIONAL) {
      throw error;
    }
  }
}

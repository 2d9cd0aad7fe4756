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

/** Filled in by the packer: what is taken from the front end, and what may be missing there. */
declare const NEEDED: string[];
declare const WANTED: string[];

/** The bundler's name for where the other files are: beside this one. */
declare global {
  var __webpack_public_path__: string;
}
__webpack_public_path__ =
  (document.currentScript as HTMLScriptElement | null)?.src.replace(/[^/]*$/, '') ?? '';

/** The packages of the front end; what is imported from them is looked up here. */
export const shared: { [name: string]: unknown } = {};

let scope: IScope = {};
let ready: Promise<unknown> | null = null;

export function init(given: IScope): void {
  scope = given;
}

/** The factory of a module of ours, once everything that it imports is there. */
export async function get(name: string): Promise<() => unknown> {
  ready ??= Promise.all([
    ...NEEDED.map(load),
    // What comes from another extension, or does not.
    ...WANTED.map(wanted => load(wanted).catch(() => undefined))
  ]);
  await ready;
  // @ts-expect-error -- plain JavaScript, without types
  const module = (await (name === './style' ? import('../style/index.js') : import('./index'))) as unknown;
  return () => module;
}

async function load(name: string): Promise<void> {
  const versions = Object.values(scope[name] ?? {});
  const found = versions.find(version => version.loaded) ?? versions[0];
  if (!found) {
    throw new Error(`jupyter-autostop needs ${name}, which this front end does not share.`);
  }
  shared[name] = (await found.get())();
}

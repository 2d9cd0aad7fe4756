import type * as Base from '@jupyter-widgets/base';

/** ipywidgets' own package, where this front end has it; the packer has a shorter way to the same. */
export function widgets(): Promise<typeof Base | null | undefined> {
  return import('@jupyter-widgets/base').catch(() => null);
}

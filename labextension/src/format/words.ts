import type { TranslationBundle } from '@jupyterlab/translation';

/** How to say it. */
export interface IWords {
  trans: TranslationBundle;
  /** A language tag for dates, as browsers know them. */
  locale: string;
}

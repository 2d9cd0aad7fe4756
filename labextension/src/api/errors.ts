import type { TranslationBundle } from '@jupyterlab/translation';

import type { ILinkProblem } from '../tokens';
import { ApiError, ConnectionLostError, LoggedOutError, MissingError, VoilaAloneError } from './request';

/** What a request that failed means for the page, in sentences to show. */
export function linkProblem(error: unknown, trans: TranslationBundle): ILinkProblem {
  if (error instanceof ConnectionLostError) {
    return {
      kind: 'lost',
      message: trans.__('The connection to the Jupyter server is lost.'),
      hint: trans.__('It is tried again by itself.')
    };
  }
  if (error instanceof LoggedOutError) {
    return {
      kind: 'logged_out',
      message: trans.__('The Jupyter server no longer knows this browser.'),
      hint: trans.__('Log in to Jupyter again, for example by reloading the page.')
    };
  }
  if (error instanceof VoilaAloneError) {
    return {
      kind: 'missing',
      message: trans.__('Voila runs as a server of its own here, where the controls cannot work.'),
      hint: trans.__(
        'Write jupyter autostop extend 1h in a terminal, or open this page from the Jupyter server, below voila/render.'
      )
    };
  }
  if (error instanceof MissingError) {
    return {
      kind: 'missing',
      message: trans.__('The Jupyter server does not run the extension jupyter_autostop.'),
      hint: trans.__('Enable it for the server and start the server again.')
    };
  }
  const { status, hint = null } = error instanceof ApiError ? error : {};
  if (status === 403) {
    return { kind: 'forbidden', message: trans.__('You may not see the stop time of this instance.'), hint };
  }
  const message =
    error instanceof Error ? error.message : trans.__('The Jupyter server gave no usable answer.');
  return { kind: 'failed', message, hint };
}

const FIRST = 1_000;
const LONGEST = 60_000;
/** Where only a person can help, asking often helps nobody. */
const RARE = 330_000;

/**
 * How many ms to wait after the `failures`th failure in a row.
 *
 * @param random - in [0, 1); spreads the pages that one outage has hit, so that they don't come back as one.
 */
export function retryDelay(error: unknown, failures: number, random: number): number {
  const { status, retryAfter } = error instanceof ApiError ? error : {};
  if (error instanceof LoggedOutError || error instanceof MissingError || status === 403) {
    return RARE;
  }
  const wished = (retryAfter ?? 0) * 1000;
  const backoff = Math.min(LONGEST, FIRST * 2 ** Math.min(failures - 1, 10));
  return Math.max(wished, backoff) + (backoff / 2) * random;
}

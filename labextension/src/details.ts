import type { TranslationBundle } from '@jupyterlab/translation';

import { shownStop } from './countdown';
import { formatDuration } from './duration';
import { said } from './problems';
import type { ISituation, IState } from './tokens';
import type { IWords, Kind } from './view';

/** Everything there is to say about a situation: one fact a line, the most important first. */
export function details(situation: ISituation, kind: Kind, words: IWords): string[] {
  const { state, link, now, uncertain } = situation;
  const { trans } = words;
  const lines = state ? ofState(state, kind, situation, words) : [];
  if (!state && !link) {
    lines.push(trans.__('Asking the Jupyter server when this instance stops.'));
  }
  if (link) {
    lines.push(link.message, link.hint ?? '');
  }
  if (uncertain) {
    lines.push(trans.__('The clock of this computer has jumped; asking again.'));
  }
  if (state?.confirmed_at !== null && state?.confirmed_at !== undefined) {
    const ago = age(now - state.confirmed_at, trans);
    lines.push(state.stale || link ? trans.__('Last confirmed %1.', ago) : trans.__('Confirmed %1.', ago));
  }
  if (state?.emulated) {
    lines.push(trans.__('Emulated: no real instance is looked at or stopped.'));
  }
  return lines.filter(line => line !== '');
}

/** A time span that has gone by, coarse enough not to change under the reader's eyes. */
export function age(ms: number, trans: TranslationBundle): string {
  const minutes = Math.floor(ms / 60000);
  return minutes < 1 ? trans.__('just now') : trans.__('%1 ago', formatDuration(minutes * 60));
}

/** A moment with its weekday and zone, in the reader's zone and by a 24-hour clock. */
export function formatMoment(ms: number, locale: string): string {
  let format = formats.get(locale);
  if (!format) {
    format = momentFormat(locale);
    formats.set(locale, format);
  }
  return format.format(ms);
}

// Making one costs more than everything else that a tick does.
const formats = new Map<string, Intl.DateTimeFormat>();

function momentFormat(locale: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short'
  };
  try {
    return new Intl.DateTimeFormat(locale, options);
  } catch {
    // A language of JupyterLab's that is no language tag: the browser's own then.
    return new Intl.DateTimeFormat(undefined, options);
  }
}

function ofState(state: IState, kind: Kind, situation: ISituation, words: IWords): string[] {
  const { trans, locale } = words;
  const lines: string[] = [];
  if (state.deadline) {
    const moment = formatMoment(state.deadline.stop_timestamp, locale);
    if (kind === 'running' || kind === 'held' || kind === 'stale') {
      const wished = shownStop(situation);
      if (wished !== null && wished !== state.deadline.stop_timestamp) {
        lines.push(trans.__('Asked for: %1. Not confirmed yet.', formatMoment(wished, locale)));
      }
      lines.push(trans.__('Stops %1.', moment), keeper(state.deadline.kept_by, trans));
    } else if (kind === 'overdue') {
      lines.push(trans.__('The stop time was %1.', moment), afterwards(situation, trans));
    }
  } else {
    lines.push(withoutDeadline(kind, trans));
  }
  lines.push(nextStart(state, trans));
  if (state.instance) {
    const { name, status } = state.instance;
    const what = [name, status].filter(part => typeof part === 'string' && part !== '');
    lines.push(what.length > 0 ? trans.__('Instance: %1.', what.join(', ')) : '');
  }
  if (state.problem) {
    lines.push(said(state.problem.code, state.problem.message, trans), state.problem.hint ?? '');
  }
  return lines;
}

function keeper(keptBy: 'platform' | 'server', trans: TranslationBundle): string {
  return keptBy === 'platform'
    ? trans.__('Kept by ModelArts.')
    : trans.__('Kept by this Jupyter server, which stops the instance itself and must be running then.');
}

/** What a stop time that has passed may mean; nothing is claimed that nobody has seen. */
function afterwards(situation: ISituation, trans: TranslationBundle): string {
  return situation.link?.kind === 'lost'
    ? trans.__('Jupyter does not answer: the instance may have stopped.')
    : trans.__('It has passed, and nothing yet says that the instance is stopping.');
}

function withoutDeadline(kind: Kind, trans: TranslationBundle): string {
  switch (kind) {
    case 'off':
    case 'next-start':
      return trans.__('Auto-stop is off: the instance runs, and bills, until you stop it.');
    case 'idle-rule':
      return trans.__('Auto-stop is on, but no fixed time is set for it.');
    case 'unknown':
    case 'no-stop-time':
    case 'refused':
    case 'no-credentials':
    case 'denied':
      return trans.__('Whether and when this instance stops is not known.');
    default:
      return '';
  }
}

function nextStart(state: IState, trans: TranslationBundle): string {
  const next = state.next_start;
  if (typeof next?.enable !== 'boolean') {
    return '';
  }
  if (!next.enable) {
    return trans.__('From the next start: auto-stop off.');
  }
  return next.duration === null
    ? trans.__('From the next start: auto-stop on.')
    : trans.__('From the next start: auto-stop after %1.', formatDuration(next.duration));
}

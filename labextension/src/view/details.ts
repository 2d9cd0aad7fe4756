import type { TranslationBundle } from '@jupyterlab/translation';

import type { IState } from '../api/types';
import { shownStop } from '../format/countdown';
import { formatDuration } from '../format/duration';
import { age, dayTime, formatMoment } from '../format/moments';
import { said } from '../format/problems';
import type { IWords } from '../format/words';
import type { ISituation } from '../tokens';
import { farewell } from './serverGone';
import type { Kind } from './viewModel';

/** Letters of the scripts that are written so, and marks that turn a line's direction. */
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]|[\ud802\ud803\ud83a\ud83b]/;

/** Everything there is to say about a situation: one fact a line, the most important first. */
export function details(situation: ISituation, kind: Kind, words: IWords): string[] {
  const { state, link, now, confirmedAt, uncertain } = situation;
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
  if (state && confirmedAt !== null) {
    const ago = now - confirmedAt;
    // Where all is well, an age that grows until the page next asks would look like a fault.
    const since = ago < 60_000 ? age(ago, trans) : dayTime(confirmedAt, now, words);
    lines.push(
      state.stale || link ? trans.__('Last confirmed %1.', age(ago, trans)) : trans.__('Confirmed %1.', since)
    );
  }
  if (state?.emulated) {
    lines.push(trans.__('Emulated: no real instance is looked at or stopped.'));
  }
  return lines.filter(line => line !== '');
}

function ofState(state: IState, kind: Kind, situation: ISituation, words: IWords): string[] {
  const { trans, locale } = words;
  const lines: string[] = [];
  if (kind === 'gone') {
    lines.push(...farewell(situation, words));
  } else if (state.deadline) {
    const moment = formatMoment(state.deadline.stop_timestamp, locale);
    if (kind === 'running' || kind === 'held' || kind === 'stale') {
      const wished = shownStop(situation);
      if (wished !== null && wished !== state.deadline.stop_timestamp) {
        lines.push(trans.__('Asked for: %1. Not confirmed yet.', formatMoment(wished, locale)));
      }
      lines.push(trans.__('Stops %1.', moment), keeper(state, situation.now, words));
    } else if (kind === 'overdue') {
      lines.push(
        trans.__('The stop time was %1.', moment),
        trans.__('It has passed, and nothing yet says that the instance is stopping.')
      );
    }
  } else {
    lines.push(withoutDeadline(kind, trans));
  }
  lines.push(nextStart(state, trans));
  if (state.instance) {
    const { name, status } = state.instance;
    const what = [name, status]
      .filter((part): part is string => typeof part === 'string' && part !== '')
      .map(isolated);
    const known = situation.link
      ? trans.__('Instance, as last seen: %1.', what.join(', '))
      : trans.__('Instance: %1.', what.join(', '));
    lines.push(what.length > 0 ? known : '');
  }
  if (state.problem) {
    lines.push(said(state.problem.code, state.problem.message, trans), state.problem.hint);
  }
  return lines;
}

/** Keep a name that is written from right to left from turning the sentence around it. */
function isolated(text: string): string {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}

/** Who stops the instance, and the honest limit of a stop that only this server knows of. */
function keeper({ deadline, auto_stop }: IState, now: number, words: IWords): string {
  const { trans } = words;
  if (deadline?.kept_by !== 'server') {
    return trans.__('Kept by ModelArts.');
  }
  const moment = dayTime(deadline.stop_timestamp, now, words);
  const later = auto_stop?.stop_timestamp;
  return typeof later === 'number'
    ? [
        trans.__("Kept by this server until %1; ModelArts' own auto-stop stays on.", moment),
        trans.__('If this server never comes back, ModelArts stops the run %1.', dayTime(later, now, words))
      ].join(' ')
    : [
        trans.__("Kept by this server until %1; ModelArts' own auto-stop is off until then.", moment),
        trans.__('If this server never comes back, nothing stops the run.')
      ].join(' ');
}

function withoutDeadline(kind: Kind, trans: TranslationBundle): string {
  const off = trans.__('Auto-stop is off: the instance runs, and bills, until you stop it.');
  const unknown = trans.__('Whether and when this instance stops is not known.');
  const lines: { [name in Kind]?: string } = {
    off,
    'next-start': off,
    'idle-rule': trans.__('Auto-stop is on, but no fixed time is set for it.'),
    stopped: trans.__('Start it again in the ModelArts console; /home/ma-user/work is kept.'),
    unknown,
    'no-stop-time': unknown,
    refused: unknown,
    'no-credentials': unknown,
    denied: unknown
  };
  return lines[kind] ?? '';
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

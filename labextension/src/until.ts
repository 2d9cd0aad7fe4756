import type { TranslationBundle } from '@jupyterlab/translation';

import { DurationError, trimmed } from './duration';

const TIME_OF_DAY = /^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$/;
const DATE =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?(Z|[+-][0-9]{2}:[0-9]{2})?$/i;

/**
 * The moment in epoch ms that a typed clock time names, seen from `now` in the reader's zone.
 *
 * `18:00` is the next 18:00; `2026-11-24T09:00`, also with seconds and an offset or `Z`, is that moment.
 *
 * @throws DurationError - for anything else, and for a moment that has passed.
 */
export function parseUntil(text: string, now: number, trans: TranslationBundle): number {
  const typed = trimmed(text);
  const shown = typed.slice(0, 40);
  const then = timeOfDay(typed, now) ?? moment(typed);
  if (then === null) {
    throw new DurationError(
      typed === '' ? 'empty' : 'syntax',
      trans.__('“%1” is not a time; write 18:00 or 2026-11-24T09:00.', shown)
    );
  }
  if (then <= now) {
    throw new DurationError('range', trans.__('“%1” has passed already; give a time still to come.', shown));
  }
  return then;
}

/** Whether a text names a time of day, which is read as such even where it could be a duration. */
export function isTimeOfDay(text: string): boolean {
  return timeOfDay(text.trim(), 0) !== null;
}

function timeOfDay(text: string, now: number): number | null {
  const match = TIME_OF_DAY.exec(text);
  if (!match) {
    return null;
  }
  const [hour = 0, minute = 0, second = 0] = match.slice(1).map(part => Number(part || 0));
  if (hour > 23 || minute > 59 || second > 59) {
    return null;
  }
  const then = new Date(now);
  then.setHours(hour, minute, second, 0);
  if (then.getTime() <= now) {
    // By the calendar, not by 24 h: the nights in which clocks are changed are of another length.
    then.setDate(then.getDate() + 1);
    then.setHours(hour, minute, second, 0);
  }
  return then.getTime();
}

function moment(text: string): number | null {
  const match = DATE.exec(text);
  if (!match) {
    return null;
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = match.slice(1, 6).map(Number);
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  // Browsers read the 30th of February as a day in March, and differ in what else they let pass.
  if (month < 1 || month > 12 || day < 1 || day > last || hour > 23 || minute > 59) {
    return null;
  }
  const then = Date.parse(text.replace(' ', 'T').toUpperCase());
  return Number.isNaN(then) ? null : then;
}

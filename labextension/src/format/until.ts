import type { TranslationBundle } from '@jupyterlab/translation';

import { DurationError, plain, shortened } from './duration';
import type { IZone } from './zones';
import {
  browserZone,
  DAY_S,
  firstAfterGap,
  fixedZone,
  HOUR_S,
  MINUTE_S,
  namedZone,
  ownAbbreviation,
  readings,
  zoneOf
} from './zones';

const LONGEST_TEXT = 64;
/** Calendars end a year later, and a zone may still be asked for the days around. */
const LAST_YEAR = 9998;
const MOMENT = new RegExp(
  [
    '^(?:([0-9]{4}-[0-9]{2}-[0-9]{2})(?:t| at | |$)|(today|tomorrow)(?: at | |$))?',
    '(?:([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2})(?:\\.([0-9]{1,9}))?)?)?(?: ?([ap])\\.?m\\b\\.?)?)?',
    '(?: (today|tomorrow)\\b)?',
    '(?: ?((?:z|[+-][0-9]|[a-z]{2})[a-z0-9_+/:-]*))?$'
  ].join(''),
  'i'
);

/** A moment that a text names, and what its reader should know of it. */
export interface IMoment {
  /** Epoch ms. */
  at: number;
  /** That the clocks skip the time, or show it twice; empty: neither. */
  remark: string;
}

/** The parts of a text that has the form of a moment. */
interface IParts {
  day: string;
  /** Of the time of day, in ms since midnight. */
  clock: number;
  zone: string;
}

/**
 * The moment that a text names, seen from `now`: the earliest one ahead that it can mean.
 *
 * The table in `tests/data/durations.json` is passed by the Python side, `moments.py`, as well.
 *
 * @param zone - in which a time without one is read; default: the browser's.
 * @throws DurationError - for what is no time, names no zone, or has passed.
 */
export function readUntil(
  text: string,
  now: number,
  trans: TranslationBundle,
  zone: string = browserZone()
): IMoment {
  const typed = plain(text);
  const shown = shortened(typed);
  if (/^(?:[01]?[0-9]|2[0-3])$/.test(typed)) {
    throw new DurationError(
      'ambiguous',
      trans.__('“%1” could be an hour or a length of time; write %2.', shown, `${typed}:00`)
    );
  }
  const parts = partsOf(typed);
  if (!parts) {
    throw new DurationError(
      typed === '' ? 'empty' : 'syntax',
      trans.__('“%1” is not a time; write 18:00, 6pm, tomorrow 9:00 or 2026-11-24T09:00.', shown)
    );
  }
  const nowS = Math.floor(now / 1000);
  // A browser that does not tell its zone shows UTC.
  const own = namedZone(zone) ?? fixedZone(0);
  const meant = parts.zone ? (ownAbbreviation(parts.zone, own, nowS) ?? asked(parts.zone, trans)) : own;
  const [first] = candidates(parts, nowS, meant, trans)
    .map(({ at, remark }) => ({ at: at * 1000 + (parts.clock % 1000), remark }))
    .filter(({ at }) => at > now)
    .sort((one, other) => one.at - other.at);
  if (!first) {
    throw new DurationError('range', trans.__('“%1” has passed already; give a time still to come.', shown));
  }
  return first;
}

/** Whether a text has the form of a time, which is read as such even where it could be a duration. */
export function isMoment(text: string): boolean {
  return partsOf(plain(text)) !== null;
}

function partsOf(text: string): IParts | null {
  const match = text.length <= LONGEST_TEXT ? MOMENT.exec(text) : null;
  if (!match) {
    return null;
  }
  const [, date = '', named = '', hours, minutes, seconds = '0', fraction = '', half, after = '', zone = ''] =
    match;
  const before = date || named;
  const day = (before || after).toLowerCase();
  if (before && after) {
    return null;
  }
  if (hours === undefined) {
    return before && isDay(day) ? { day, clock: 0, zone } : null;
  }
  let hour = Number(hours);
  if (half && hour >= 1 && hour <= 12) {
    hour = (hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
  } else if (half || minutes === undefined) {
    return null;
  }
  const minute = Number(minutes ?? 0);
  if (hour > 23 || minute > 59 || Number(seconds) > 59 || !isDay(day)) {
    return null;
  }
  const clock = 1000 * (hour * HOUR_S + minute * MINUTE_S + Number(seconds));
  return { day, clock: clock + Number(fraction.padEnd(3, '0').slice(0, 3)), zone };
}

/** Whether a named day, if any, is one: browsers read the 30th of February as a day in March. */
function isDay(day: string): boolean {
  const match = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(day);
  if (!match) {
    return true;
  }
  const [year = 0, month = 0, date = 0] = match.slice(1).map(Number);
  const last = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  return year >= 1 && year <= LAST_YEAR && month >= 1 && month <= 12 && date >= 1 && date <= last;
}

/** Each moment (epoch s) that a text can mean, near now where it names no date, with what is to be said of it. */
function candidates({ day, clock }: IParts, nowS: number, zone: IZone, trans: TranslationBundle): IMoment[] {
  const clockS = Math.floor(clock / 1000);
  const today = Math.floor((nowS + zone.offset(nowS)) / DAY_S) * DAY_S;
  if (day === '') {
    // The day before as well: clocks that go back at midnight show its last hour again. A day may be left out.
    return [-1, 0, 1, 2].flatMap(days => ofDay(today + days * DAY_S + clockS, zone, trans, true));
  }
  if (day === 'today' || day === 'tomorrow') {
    return ofDay(today + (day === 'tomorrow' ? DAY_S : 0) + clockS, zone, trans);
  }
  const wall = Date.parse(`${day}T00:00:00Z`) / 1000 + clockS;
  // What is far off is not worth a zone's history.
  return wall < nowS - 2 * DAY_S ? [] : ofDay(wall, zone, trans);
}

/** The moments at which a zone's clocks show a time; where they skip it, the first one after. */
function ofDay(wall: number, zone: IZone, trans: TranslationBundle, skipDays = false): IMoment[] {
  const found = readings(wall, zone);
  if (found.length > 0) {
    const remark = (at: number): string =>
      found.length > 1
        ? trans.__('That time comes twice, as the clocks go back; %1 is meant.', told(at, zone))
        : '';
    return found.map(at => ({ at, remark: remark(at) }));
  }
  const at = firstAfterGap(wall, zone);
  if (skipDays && zone.offset(at) - zone.offset(at - 1) >= DAY_S) {
    return []; // a zone that crosses the date line has no such day
  }
  const remark = trans.__(
    'That time is skipped, as the clocks go forward; the first moment after it is %1.',
    told(at, zone)
  );
  return [{ at, remark }];
}

function told(at: number, zone: IZone): string {
  const clock = new Date((at + zone.offset(at)) * 1000).toISOString().slice(11, 16);
  return `${clock} ${zone.label(at)}`;
}

function asked(text: string, trans: TranslationBundle): IZone {
  const zone = zoneOf(text);
  if (typeof zone !== 'string') {
    return zone;
  }
  const shown = shortened(text);
  throw new DurationError(
    'zone',
    {
      'no-offset': trans.__('“%1” is no offset that a zone has; write one such as +08:00.', shown),
      'no-zone': trans.__('“%1” is no time zone; write one such as Asia/Shanghai or +08:00.', shown),
      'not-one': trans.__(
        '“%1” does not name one time zone; write one such as Asia/Shanghai or +08:00.',
        shown
      )
    }[zone]
  );
}

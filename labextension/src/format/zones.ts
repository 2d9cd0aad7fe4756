/** Seconds in a minute, an hour, a day; the server's side counts in the same. */
export const MINUTE_S = 60;
export const HOUR_S = 3600;
export const DAY_S = 86400;
/** No zone has ever kept an offset for a shorter time. */
const STEP_S = 6 * HOUR_S;
const OFFSET = /^(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?$/i;
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){1,2}$/;

/** A time zone: its offset, in seconds east of UTC, at an epoch time in seconds, and what that is called. */
export interface IZone {
  offset(epochS: number): number;
  label(epochS: number): string;
}

/** The zone that this browser shows its times in. */
export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The zone that is always so far east of UTC. */
export function fixedZone(offsetS: number): IZone {
  const name = offsetName(offsetS);
  return { offset: () => offsetS, label: () => name };
}

/** A zone by its name, such as Asia/Shanghai; null where there is none of it. */
export function namedZone(name: string): IZone | null {
  const parts: Intl.DateTimeFormatOptions = {
    ...{ timeZone: name, hourCycle: 'h23', era: 'short' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' }
  };
  let clock: Intl.DateTimeFormat;
  let short: Intl.DateTimeFormat;
  try {
    clock = new Intl.DateTimeFormat('en-US', parts);
    short = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'short' });
  } catch {
    // A RangeError is how a browser says that it knows no such zone.
    return null;
  }
  const part = (format: Intl.DateTimeFormat, ms: number, type: string): string =>
    format.formatToParts(ms).find(found => found.type === type)?.value ?? '';
  const known = new Map<number, number>();
  const offset = (epochS: number): number => {
    let found = known.get(epochS);
    if (found === undefined) {
      const shown: { [type: string]: string } = {};
      clock.formatToParts(epochS * 1000).forEach(({ type, value }) => (shown[type] = value));
      const { year, month, day, hour, minute, second } = shown;
      const wall = Date.UTC(
        Number(year),
        Number(month) - 1,
        Number(day),
        Number(hour),
        Number(minute),
        Number(second)
      );
      found = wall / 1000 - epochS;
      known.set(epochS, found);
    }
    return found;
  };
  return { offset, label: epochS => part(short, epochS * 1000, 'timeZoneName').replace('GMT', 'UTC') };
}

/** The zone that a text names: `UTC`, `Z`, `+08:00`, `UTC+8`, `Asia/Shanghai`; else why it names none. */
export function zoneOf(text: string): IZone | 'no-offset' | 'no-zone' | 'not-one' {
  if (/^(?:Z|UTC|GMT)$/i.test(text)) {
    return fixedZone(0);
  }
  const match = OFFSET.exec(text);
  if (match) {
    const [, sign, hours = '0', minutes = '0'] = match;
    if (Number(hours) > 15 || Number(minutes) > 59) {
      return 'no-offset';
    }
    return fixedZone((sign === '-' ? -1 : 1) * (Number(hours) * HOUR_S + Number(minutes) * MINUTE_S));
  }
  // One word alone is several zones' abbreviation, which browsers take for one of them.
  return NAME.test(text) ? (namedZone(text) ?? 'no-zone') : 'not-one';
}

/** The fixed zone that a zone itself calls so in the year around a moment: `CDT` of America/Chicago. */
export function ownAbbreviation(text: string, zone: IZone, epochS: number): IZone | null {
  for (let step = -6; step <= 6; step++) {
    const near = epochS + step * 30 * DAY_S;
    if (/^[A-Z]{2,5}$/i.test(text) && zone.label(near) === text.toUpperCase()) {
      return fixedZone(zone.offset(near));
    }
  }
  return null;
}

/**
 * The epoch times (s) at which a zone's clocks show a time, in order: one, two where it comes twice, or none.
 *
 * @param wallS - that time as if it were UTC's.
 */
export function readings(wallS: number, zone: IZone): number[] {
  const offsets = new Set<number>();
  for (let step = -DAY_S; step <= DAY_S; step += STEP_S) {
    offsets.add(zone.offset(wallS + step));
  }
  return [...offsets]
    .map(offset => wallS - offset)
    .filter(epochS => zone.offset(epochS) === wallS - epochS)
    .sort((one, other) => one - other);
}

/** The first epoch time (s) at which a zone's clocks are past a time that they skip. */
export function firstAfterGap(wallS: number, zone: IZone): number {
  let before = wallS - 2 * DAY_S;
  let after = wallS + 2 * DAY_S;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (middle + zone.offset(middle) < wallS) {
      before = middle;
    } else {
      after = middle;
    }
  }
  return after;
}

function offsetName(offsetS: number): string {
  const minutes = Math.floor(Math.abs(offsetS) / MINUTE_S);
  const rest = minutes % 60 ? `:${String(minutes % 60).padStart(2, '0')}` : '';
  return minutes ? `UTC${offsetS < 0 ? '-' : '+'}${Math.floor(minutes / 60)}${rest}` : 'UTC';
}

/** What is wrong with a duration that was typed. */
export type DurationErrorKind = 'ambiguous' | 'empty' | 'syntax' | 'range';

/** A text that is no duration, with a sentence that says the way out. */
export class DurationError extends Error {
  constructor(
    readonly kind: DurationErrorKind,
    message: string
  ) {
    super(message);
    this.name = 'DurationError';
  }
}

const SECONDS: { [unit: string]: number } = { d: 86400, h: 3600, m: 60, min: 60, s: 1 };
const LONGEST = 365 * 86400;
const LONGEST_TEXT = 40;
const EXAMPLES = 'write 2h, 90m, 1h30m, 1:30 or 1.5h';

// ASCII digits and blanks by name: what another script calls a digit must not mean one thing in the
// page and another in the terminal.
const BARE = /^[0-9]+(?:\.[0-9]+)?$/;
const CLOCK = /^([0-9]{1,6}):([0-9]{2})(?::([0-9]{2}))?$/;
const SINGLE = /^([0-9]+)(?:\.([0-9]+))?[ \t]*(d|h|min|m|s)$/;
const SEVERAL =
  /^(?:([0-9]+)[ \t]*d[ \t]*)?(?:([0-9]+)[ \t]*h[ \t]*)?(?:([0-9]+)[ \t]*(?:min|m)[ \t]*)?(?:([0-9]+)[ \t]*s)?$/;

/**
 * The whole seconds that a typed duration means, rounded down.
 *
 * @throws DurationError - for everything that is not plainly one duration between 1 s and 365 d.
 */
export function parseDuration(text: string): number {
  const typed = text.replace(/^[ \t]+|[ \t]+$/g, '');
  const shown = typed.length > LONGEST_TEXT ? `${typed.slice(0, LONGEST_TEXT - 1)}…` : typed;
  if (typed === '') {
    throw new DurationError('empty', `No duration was given; ${EXAMPLES}.`);
  }
  if (BARE.test(typed)) {
    throw new DurationError(
      'ambiguous',
      `“${shown}” could be minutes or hours; write ${shown}m or ${shown}h.`
    );
  }
  const seconds =
    typed.length > LONGEST_TEXT ? null : (clockSeconds(typed, shown) ?? unitSeconds(typed.toLowerCase()));
  if (seconds === null) {
    throw new DurationError('syntax', `“${shown}” is not a duration; ${EXAMPLES}.`);
  }
  if (seconds < BigInt(1)) {
    throw new DurationError('range', `“${shown}” is no time at all; the shortest duration is 1 s.`);
  }
  if (seconds > BigInt(LONGEST)) {
    throw new DurationError('range', `“${shown}” is longer than a year (365d).`);
  }
  return Number(seconds);
}

/**
 * A length in seconds as it is shown: `26 h`, `1 h 30 min`, `45 min`, `1 h 5 s`.
 *
 * Days are not used: a day's worth of running is what people compare in hours.
 */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 3600), 'h'],
    [Math.floor((whole % 3600) / 60), 'min'],
    [whole % 60, 's']
  ];
  const shown = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return shown.join(' ') || '0 s';
}

/** `1:30` as an hour and a half, `1:30:15` with seconds; null where there is no colon to go by. */
function clockSeconds(text: string, shown: string): bigint | null {
  const match = CLOCK.exec(text);
  if (!match) {
    return null;
  }
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  if (Number(minutes) > 59 || Number(seconds) > 59) {
    throw new DurationError('syntax', `“${shown}” has more than 59 after a colon; ${EXAMPLES}.`);
  }
  return scaled(hours, '', 'h') + scaled(minutes, '', 'm') + scaled(seconds, '', 's');
}

/** `1h30m`: units from large to small, each once, a decimal only where it stands alone. */
function unitSeconds(text: string): bigint | null {
  const single = SINGLE.exec(text);
  if (single) {
    const [, whole = '0', fraction = '', unit = 's'] = single;
    return scaled(whole, fraction, unit);
  }
  const several = SEVERAL.exec(text);
  if (!several) {
    return null;
  }
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = several;
  return scaled(days, '', 'd') + scaled(hours, '', 'h') + scaled(minutes, '', 'm') + scaled(seconds, '', 's');
}

/** In whole numbers throughout: 4.35 h in floating point comes out one second short. */
function scaled(whole: string, fraction: string, unit: string): bigint {
  const digits = BigInt(whole + fraction) * BigInt(SECONDS[unit] ?? 1);
  return digits / BigInt(10) ** BigInt(fraction.length);
}

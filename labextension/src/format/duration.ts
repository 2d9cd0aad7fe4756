import type { TranslationBundle } from '@jupyterlab/translation';

/** What is wrong with a duration that was typed. */
export type DurationErrorKind = 'ambiguous' | 'empty' | 'syntax' | 'range' | 'zone';

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

/** By their first letter, which is all that tells the ways to write them apart. */
const SECONDS: { [unit: string]: number } = { d: 86400, h: 3600, m: 60, s: 1 };
const LONGEST = 365 * 86400;
const LONGEST_TEXT = 40;

// ASCII digits and blanks by name: what another script calls a digit must not mean one thing in the
// page and another in the terminal.
const BARE = /^[0-9]+(?:\.[0-9]+)?$/;
const CLOCK = /^([0-9]{1,6}):([0-9]{2})(?::([0-9]{2}))?$/;
const TOKEN =
  /^([0-9]+)(?:\.([0-9]+))? ?(days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z]) ?/i;
/** What may stand behind hours without a unit: `1h30`. */
const MINUTES = /^[0-5][0-9]$/;
/** Those that keyboards and pages write inside a line. */
const BLANKS = /[ \t\u00a0\u2009\u202f\u3000]+/g;

/**
 * The whole seconds that a typed duration means, rounded down.
 *
 * @param trans - for the sentences of what is thrown.
 * @throws DurationError - for everything that is not plainly one duration between 1 s and 365 d.
 */
export function parseDuration(text: string, trans: TranslationBundle): number {
  const given = plain(text);
  const shown = shortened(given);
  // More of what there is already: a plus says no more than that.
  const typed = given.replace(/^\+ ?(?=[0-9])/, '');
  const examples = trans.__('write 2h, 90m, 1h30m, 1:30 or 1.5h');
  if (typed === '') {
    throw new DurationError('empty', trans.__('No duration was given; %1.', examples));
  }
  if (BARE.test(typed)) {
    throw new DurationError(
      'ambiguous',
      trans.__('“%1” could be minutes or hours; write %1m or %1h.', shown.replace(/^\+ ?/, ''))
    );
  }
  const seconds =
    typed.length > LONGEST_TEXT ? null : (clockSeconds(typed, shown, trans, examples) ?? unitSeconds(typed));
  if (seconds === null) {
    throw new DurationError('syntax', trans.__('“%1” is not a duration; %2.', shown, examples));
  }
  if (seconds < BigInt(1)) {
    throw new DurationError(
      'range',
      trans.__('“%1” is no time at all; the shortest duration is 1 s.', shown)
    );
  }
  if (seconds > BigInt(LONGEST)) {
    throw new DurationError('range', trans.__('“%1” is longer than a year (365d).', shown));
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

/** A text in ASCII's forms of its characters, with one blank where there are several, and none around it. */
export function plain(text: string): string {
  // What a Chinese or Japanese keyboard writes for ASCII.
  const narrow = text.replace(/[\uff01-\uff5e]/g, wide => String.fromCharCode(wide.charCodeAt(0) - 0xfee0));
  return narrow.replace(BLANKS, ' ').replace(/^ | $/g, '');
}

/** As much of a text as a sentence about it needs. */
export function shortened(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text;
}

/** `1:30` as an hour and a half, `1:30:15` with seconds; null where there is no colon to go by. */
function clockSeconds(
  text: string,
  shown: string,
  trans: TranslationBundle,
  examples: string
): bigint | null {
  const match = CLOCK.exec(text);
  if (!match) {
    return null;
  }
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  if (Number(minutes) > 59 || Number(seconds) > 59) {
    throw new DurationError('syntax', trans.__('“%1” has more than 59 after a colon; %2.', shown, examples));
  }
  return scaled(hours, '', 'h') + scaled(minutes, '', 'm') + scaled(seconds, '', 's');
}

/** `1h30m`: units from large to small, each once, a decimal only where it stands alone, and `1h30` for short. */
function unitSeconds(text: string): bigint | null {
  const parts: { size: number; decimal: boolean; seconds: bigint }[] = [];
  let rest = text;
  for (let match = TOKEN.exec(rest); match; match = TOKEN.exec(rest)) {
    const [token, whole = '0', fraction = '', name = 's'] = match;
    const unit = name.charAt(0).toLowerCase();
    const size = SECONDS[unit] ?? 1;
    parts.push({ size, decimal: fraction !== '', seconds: scaled(whole, fraction, unit) });
    rest = rest.slice(token.length);
  }
  if (parts[parts.length - 1]?.size === SECONDS.h && MINUTES.test(rest)) {
    parts.push({ size: SECONDS.m ?? 60, decimal: false, seconds: scaled(rest, '', 'm') });
    rest = '';
  }
  const falling = parts.every(({ size }, at) => at === 0 || size < (parts[at - 1]?.size ?? 0));
  const mixed = parts.length > 1 && parts.some(({ decimal }) => decimal);
  if (rest !== '' || parts.length === 0 || !falling || mixed) {
    return null;
  }
  return parts.reduce((sum, { seconds }) => sum + seconds, BigInt(0));
}

/** In whole numbers throughout: 4.35 h in floating point comes out one second short. */
function scaled(whole: string, fraction: string, unit: string): bigint {
  const digits = BigInt(whole + fraction) * BigInt(SECONDS[unit] ?? 1);
  return digits / BigInt(10) ** BigInt(fraction.length);
}

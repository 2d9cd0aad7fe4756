import type { TranslationBundle } from '@jupyterlab/translation';

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
 * @param trans - for the sentences of what is thrown.
 * @param clock - what to write, where a clock time is taken as well: there `1:30` is none of it.
 * @throws DurationError - for everything that is not plainly one duration between 1 s and 365 d.
 */
export function parseDuration(text: string, trans: TranslationBundle, clock = ''): number {
  const typed = trimmed(text);
  const shown = typed.length > LONGEST_TEXT ? `${typed.slice(0, LONGEST_TEXT - 1)}…` : typed;
  const examples = clock || trans.__('write 2h, 90m, 1h30m, 1:30 or 1.5h');
  if (typed === '') {
    throw new DurationError('empty', trans.__('No duration was given; %1.', examples));
  }
  if (BARE.test(typed) && !(clock && /\.[0-9][0-9]$/.test(typed))) {
    throw new DurationError(
      'ambiguous',
      trans.__('“%1” could be minutes or hours; write %1m or %1h.', shown)
    );
  }
  const seconds =
    typed.length > LONGEST_TEXT
      ? null
      : (clockSeconds(typed, shown, trans, examples) ?? unitSeconds(typed.toLowerCase()));
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

/** A text without the blanks around it, as the Python side takes them away. */
export function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
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

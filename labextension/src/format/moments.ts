import type { TranslationBundle } from '@jupyterlab/translation';

import { formatDuration } from './duration';
import type { IWords } from './words';

/** A time span that has gone by, coarse enough not to change under the reader's eyes. */
export function age(ms: number, trans: TranslationBundle): string {
  const minutes = Math.floor(ms / 60000);
  return minutes < 1 ? trans.__('just now') : trans.__('%1 ago', formatDuration(minutes * 60));
}

/** A moment with its weekday and zone, in the reader's zone and by a 24-hour clock. */
export function formatMoment(ms: number, locale: string): string {
  return formatted(ms, locale, { ...DAY, ...CLOCK, timeZoneName: 'short' });
}

/** A moment as people near `now` say it: `today at 18:40`, on a further day with its date. */
export function dayTime(ms: number, now: number, { trans, locale }: IWords): string {
  const clock = formatted(ms, locale, CLOCK);
  const tomorrow = new Date(now);
  tomorrow.setDate(tomorrow.getDate() + 1);
  const day = new Date(ms).toDateString();
  if (day === new Date(now).toDateString()) {
    return trans.__('today at %1', clock);
  }
  return day === tomorrow.toDateString()
    ? trans.__('tomorrow at %1', clock)
    : formatted(ms, locale, { ...DAY, ...CLOCK });
}

const DAY: Intl.DateTimeFormatOptions = { weekday: 'long', day: 'numeric', month: 'long' };
const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

// Making one costs more than everything else that a tick does.
const formats = new Map<string, Intl.DateTimeFormat>();

function formatted(ms: number, locale: string, options: Intl.DateTimeFormatOptions): string {
  const key = [locale, ...Object.keys(options)].join(' ');
  let format = formats.get(key);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat(locale, options);
    } catch {
      // A language of JupyterLab's that is no language tag: the browser's own then.
      format = new Intl.DateTimeFormat(undefined, options);
    }
    formats.set(key, format);
  }
  return format.format(ms);
}

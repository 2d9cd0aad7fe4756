import type { ILimits } from '../api/types';
import { shownStop } from '../format/countdown';
import { DurationError, formatDuration, parseDuration, plain, shortened } from '../format/duration';
import { dayTime } from '../format/moments';
import { isMoment, readUntil } from '../format/until';
import type { IWords } from '../format/words';
import type { ISituation } from '../tokens';

/** What somebody wishes for, and what it would come to. */
export interface IWish {
  /** By how many seconds the run is to last longer, or until when (epoch ms); both null: it cannot be asked for. */
  by: number | null;
  until: number | null;
  /** What it means, or why it cannot be, in a sentence. */
  text: string;
}

/** What a typed amount or clock time would do to the stop time: `2h30m`, `18:00`. */
export function typedWish(text: string, situation: ISituation, words: IWords): IWish {
  const { trans } = words;
  try {
    if (isMoment(text)) {
      const { at, remark } = readUntil(text, situation.now, trans);
      const wish = judge({ until: at }, situation, words);
      // Elsewhere a colon makes a duration; here the other thing is nearer, and both are said.
      const hours = /^([0-9]{1,2}):([0-9]{2})$/.exec(plain(text));
      const other = hours && Number(hours[1]) < 12 ? `${Number(hours[1])}h${hours[2]}m` : '';
      const length = other && trans.__('For a length write %1.', other);
      return { ...wish, text: [wish.text, remark, length].filter(part => part).join(' ') };
    }
    return judge({ by: parseDuration(text, trans) }, situation, words);
  } catch (error) {
    if (error instanceof DurationError && error.kind === 'syntax') {
      const either = trans.__(
        '“%1” is neither a duration such as 2h30m nor a time such as 18:00.',
        shortened(plain(text))
      );
      return refused(either);
    }
    return refused(sentence(error));
  }
}

/** What just so many seconds more would do to the stop time: a button does what stands on it, or nothing. */
export function moreTime(by: number, situation: ISituation, words: IWords): IWish {
  const wish = judge({ by }, situation, words);
  const { state } = situation;
  const more = (state?.limits.until[1] ?? 0) - (shownStop(situation) ?? situation.now);
  return wish.by && by * 1000 > more
    ? refused(words.trans.__('At most %1 more are possible.', formatDuration(60 * Math.floor(more / 60_000))))
    : wish;
}

/** The seconds of a typed length of a run, or why there can be none such. */
export function typedLength(
  text: string,
  limits: ILimits,
  { trans }: IWords
): { seconds: number | null; text: string } {
  try {
    const seconds = parseDuration(text, trans);
    const [least, most] = limits.duration;
    return seconds >= least && seconds <= most
      ? { seconds, text: '' }
      : {
          seconds: null,
          text: trans.__('A run lasts from %1 to %2.', formatDuration(least), formatDuration(most))
        };
  } catch (error) {
    return { seconds: null, text: sentence(error) };
  }
}

function judge(ask: { by: number } | { until: number }, situation: ISituation, words: IWords): IWish {
  const { state, now } = situation;
  const { trans } = words;
  const stop = shownStop(situation);
  if (!state?.limits.can_extend) {
    return refused(state?.limits.why_not.extend ?? trans.__('The stop time of this run is not known.'));
  }
  const by = 'by' in ask ? ask.by : null;
  const asked = 'by' in ask ? (stop ?? now) + 1000 * ask.by : ask.until;
  const latest = state.limits.until[1];
  const then = Math.min(asked, latest);
  if (stop !== null && then <= stop) {
    return refused(
      asked > latest
        ? trans.__('This run lasts as long as it may already.')
        : trans.__('It stops later than that already, and is not shortened.')
    );
  }
  const stops = trans.__('Stops %1.', dayTime(then, now, words));
  if (asked <= latest) {
    return { by, until: by === null ? asked : null, text: stops };
  }
  const most = formatDuration(60 * Math.round((latest - state.server_time) / 60_000));
  const what = by === null ? dayTime(asked, now, words) : formatDuration(by);
  const limit = trans.__('Asked for %1, the limit is %2 from now.', what, most);
  return { by, until: by === null ? asked : null, text: `${stops} ${limit}` };
}

function refused(text: string): IWish {
  return { by: null, until: null, text };
}

function sentence(error: unknown): string {
  if (error instanceof DurationError) {
    return error.message;
  }
  throw error;
}

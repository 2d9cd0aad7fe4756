import type { ISituation } from '../tokens';
import { formatDuration } from './duration';

/** How near the stop is: `warning` from 30 min, `urgent` from 5 min. */
export type Level = 'normal' | 'warning' | 'urgent';

export const WARNING_SECONDS = 30 * 60;
export const URGENT_SECONDS = 5 * 60;

/** The ms until `deadline`, both on one clock; null where there is no deadline. May be negative. */
export function timeLeft(deadline: number | null | undefined, now: number): number | null {
  return deadline === null || deadline === undefined ? null : deadline - now;
}

/** The stop time to count down to: the one just asked for, as far as the limits let it, until it is answered. */
export function shownStop({ state, pending }: ISituation): number | null {
  const stop = state?.deadline?.stop_timestamp ?? null;
  const wished = pending?.until ?? null;
  return state === null || stop === null || wished === null
    ? stop
    : Math.max(stop, Math.min(wished, state.limits.until[1]));
}

/** Time left as it is shown, rounded down: `2 h 13 min`, from ten minutes `47 min`, below that `9:42`. */
export function formatCountdown(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole >= 600) {
    return formatDuration(whole - (whole % 60));
  }
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** The level of a time left in seconds. */
export function levelOf(seconds: number): Level {
  if (seconds <= URGENT_SECONDS) {
    return 'urgent';
  }
  return seconds <= WARNING_SECONDS ? 'warning' : 'normal';
}

import type { IHold, IState } from '../api/types';
import { dayTime } from '../format/moments';
import type { IWords } from '../format/words';

/** When the run stops once a hold has been ended by hand at `now`, in epoch ms; null: nothing then stops it. */
export function stopAfterEnding(state: IState, id: string, now: number): number | null {
  const { deadline, holds, run, limits } = state;
  const others = holds.filter(hold => hold.id !== id);
  const last = others.reduce<IHold | null>(
    (late, hold) => (late && late.until >= hold.until ? late : hold),
    null
  );
  if (last?.then === 'stop') {
    return last.until;
  }
  if (deadline?.kept_by === 'platform') {
    return deadline.stop_timestamp;
  }
  const soonest = last ? last.until : now + limits.grace * 1000;
  const platformStop = run?.platform_stop ?? null;
  // Without a stop of its own the platform was told by hand not to stop this run.
  return run === null && !last ? null : Math.max(soonest, platformStop ?? 0);
}

/** What ending a hold brings, in a sentence; empty where it brings no stop nearer. */
export function endingBrings(state: IState, id: string, now: number, words: IWords): string {
  const { trans } = words;
  const stop = state.deadline?.stop_timestamp ?? null;
  const then = stopAfterEnding(state, id, now);
  if (then === null || stop === null || then >= stop) {
    return '';
  }
  return trans.__(
    'The instance then stops %1 instead of %2.',
    dayTime(then, now, words),
    dayTime(stop, now, words)
  );
}

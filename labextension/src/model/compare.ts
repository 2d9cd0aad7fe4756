import type { IState } from '../api/types';

/**
 * Whether two States say the same, the passing of time aside.
 *
 * What moves with the clock by itself (the time of the answer, seconds left, the limits that are
 * counted from now) is no change.
 */
export function sameState(one: IState | null, other: IState | null): boolean {
  return one === other || (one !== null && other !== null && timeless(one) === timeless(other));
}

function timeless(state: IState): string {
  const passing = new Set(['server_time', 'confirmed_at', 'remain_time', 'until']);
  const { holds, ...rest } = state;
  // A hold's `until` is somebody's wish and stays in; that of the limits is counted from now.
  const without = (key: string, value: unknown): unknown => (passing.has(key) ? undefined : value);
  return JSON.stringify([holds, JSON.stringify(rest, without)]);
}

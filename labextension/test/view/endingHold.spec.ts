import type { IHold, IState } from '../../src/api/types';
import { endingBrings, stopAfterEnding } from '../../src/view/endingHold';
import { HOUR, MINUTE, NOON, stateOf, words } from '../samples';

const hold = (id: string, until: number, then: IHold['then'] = 'restore'): IHold => ({
  ...{ id, until, then, reason: '', created_at: NOON },
  owner: { kind: 'person' }
});

/** A run that this server keeps until 3 h after noon, and that the platform would stop at `platformStop`. */
function held(platformStop: number | null, ...holds: IHold[]): IState {
  return stateOf({
    holds,
    deadline: { stop_timestamp: NOON + 3 * HOUR, kept_by: 'server' },
    run: { started_at: NOON - HOUR, platform_stop: platformStop, hard_stop: null }
  });
}

const mine = hold('mine', NOON + 3 * HOUR);

describe('a run whose hold is ended', () => {
  it.each([
    ['at the platform stop time, where that is to come', held(NOON + HOUR, mine), NOON + HOUR],
    ['after the grace, where that has passed', held(NOON - HOUR, mine), NOON + 15 * MINUTE],
    ['after the grace, where that is nearer', held(NOON + 5 * MINUTE, mine), NOON + 15 * MINUTE],
    ['after the grace, where that is not known', held(null, mine), NOON + 15 * MINUTE],
    ['with the last other hold', held(NOON - HOUR, mine, hold('other', NOON + 2 * HOUR)), NOON + 2 * HOUR],
    [
      'at the platform stop time after the last other hold',
      held(NOON + 150 * MINUTE, mine, hold('other', NOON + 2 * HOUR)),
      NOON + 150 * MINUTE
    ],
    [
      'with the last other hold that ends in a stop, whatever the platform does',
      held(NOON + 150 * MINUTE, mine, hold('a', NOON + HOUR), hold('b', NOON + 2 * HOUR, 'stop')),
      NOON + 2 * HOUR
    ],
    ['as before, where the platform keeps it', stateOf({ holds: [mine] }), NOON + 133 * MINUTE],
    ['by nothing, where auto-stop was switched off by hand', { ...held(null, mine), run: null }, null]
  ])('stops %s', (_, state, stop) => {
    expect(stopAfterEnding(state, 'mine', NOON)).toBe(stop);
  });

  it('is told when it then stops, where that is sooner', () => {
    expect(endingBrings(held(NOON + HOUR, mine), 'mine', NOON, words)).toBe(
      'The instance then stops today at 13:00 instead of today at 15:00.'
    );
    expect(endingBrings(held(NOON + 4 * HOUR, mine), 'mine', NOON, words)).toBe('');
    expect(endingBrings(stateOf({ holds: [mine] }), 'mine', NOON, words)).toBe('');
  });
});

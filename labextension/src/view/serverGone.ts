import { shownStop } from '../format/countdown';
import { dayTime } from '../format/moments';
import { phaseOf } from '../format/problems';
import type { IWords } from '../format/words';
import type { ISituation } from '../tokens';

/**
 * Whether the Jupyter server has gone away as it does when its instance stops.
 *
 * Nobody is left to say so: the server runs in the instance. That its stop time has passed, or that it was seen to
 * stop, tells this end from a network that is down.
 */
export function hasGone(situation: ISituation): boolean {
  const { state, link, now } = situation;
  if (link?.kind !== 'lost' || !state) {
    return false;
  }
  const stop = shownStop(situation);
  const phase = phaseOf(state.instance?.status);
  return phase === 'stopping' || phase === 'stopped' || (stop !== null && stop <= now);
}

/** What has happened, what is kept, and the way back: one fact a line. */
export function farewell(situation: ISituation, words: IWords): string[] {
  const { trans } = words;
  const { state, now } = situation;
  const stop = shownStop(situation);
  const emulated = state?.emulated ?? false;
  return [
    stop === null
      ? trans.__(
          'The instance was stopping when Jupyter went away: it has stopped, as far as this page can tell.'
        )
      : trans.__(
          'The stop time was %1, and Jupyter went away with it: the instance has stopped, as far as this page can tell.',
          dayTime(stop, now, words)
        ),
    trans.__('Files below /home/ma-user/work are kept; what only kernels and terminals held is gone.'),
    emulated
      ? trans.__('Start the emulated instance again as its terminal says, then reload this page.')
      : trans.__('Start the instance again in the ModelArts console, then reload this page.'),
    trans.__('Is something here not saved? Keep this page open, and save it when Jupyter answers again.')
  ];
}

import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IState } from '../api/types';
import { formatDuration } from '../format/duration';
import { formatMoment } from '../format/moments';
import type { IWords } from '../format/words';
import type { IAutostopModel, IResult, ISituation } from '../tokens';

export type Args = ReadonlyPartialJSONObject;

/** What a command is about to do, in words for the person who is asked first. */
export interface IPlan {
  title: string;
  body: string;
  accept: string;
  /** Nothing that Enter alone should do. */
  grave: boolean;
  run: () => Promise<IResult>;
}

/** A plan, or the sentence that says why there is none. */
export type Planned = IPlan | string;

/** The extension that is offered where none is named, in seconds. */
export const HOUR = 3600;
/** The run length that is offered where none is set, in seconds. */
const RUN_LENGTH = 4 * HOUR;

/** What `{by: s}` or `{until: ms}` would do; nothing named: an hour more. */
export function planExtend(args: Args, model: IAutostopModel, words: IWords): Planned {
  const { trans, locale } = words;
  const situation = model.situation();
  const stop = situation.pending?.until ?? situation.state?.deadline?.stop_timestamp ?? null;
  const { by, until } = args;
  if (by !== undefined && until !== undefined) {
    return trans.__('Give “by” or “until”, not both.');
  }
  if (by !== undefined && !isCount(by)) {
    return trans.__('“by” must be a whole number of seconds, more than 0.');
  }
  if (until !== undefined && (!isCount(until) || until <= situation.now)) {
    return trans.__('“until” must be a time to come, in ms since 1970.');
  }
  const state = known(situation, 'extend', words);
  if (typeof state === 'string') {
    return state;
  }
  if (stop === null) {
    return trans.__('There is no known stop time to extend.');
  }
  const asked = until ?? stop + (by ?? HOUR) * 1000;
  if (asked <= stop) {
    return trans.__(
      'The instance runs until %1 anyway; extending never shortens.',
      formatMoment(stop, locale)
    );
  }
  const latest = state.limits.until[1];
  const target = Math.max(stop, Math.min(asked, latest));
  const more = formatDuration(Math.floor((target - stop) / 60000) * 60);
  const moment = formatMoment(target, locale);
  const body = trans.__(
    'The instance then stops %1 instead of %2, %3 later.',
    moment,
    formatMoment(stop, locale),
    more
  );
  const limit = trans.__('Asked for %1 more; this is the limit.', formatDuration((asked - stop) / 1000));
  return {
    title: trans.__('Extend this run?'),
    body: asked > latest ? `${limit} ${body}` : body,
    accept: trans.__('Extend'),
    grave: false,
    run: () => model.extendUntil(asked)
  };
}

/** Whether something stops this run: where this server does, auto-stop is off at the platform. */
export function isOn({ deadline, auto_stop }: IState): boolean {
  return deadline?.kept_by === 'server' || auto_stop?.enable === true;
}

/** What switching auto-stop off would do. */
export function planOff(_: Args, model: IAutostopModel, words: IWords): Planned {
  const { trans } = words;
  const state = known(model.situation(), 'disable', words);
  if (typeof state === 'string') {
    return state;
  }
  const body = trans.__('Nothing will stop the instance by itself: it runs, and bills, until you stop it.');
  return {
    title: trans.__('Turn auto-stop off?'),
    body: `${ending(state, words)}${body}`,
    accept: trans.__('Turn Off'),
    grave: true,
    run: () => model.change({ auto_stop: { enable: false } }, state.version)
  };
}

/** What switching auto-stop on would do, with `{duration: s}` or the run length that is set. */
export function planOn({ duration }: Args, model: IAutostopModel, words: IWords): Planned {
  const { trans } = words;
  const state = known(model.situation(), 'enable', words);
  if (typeof state === 'string') {
    return state;
  }
  const [shortest, longest] = state.limits.duration;
  if (duration !== undefined && (!isCount(duration) || duration < shortest || duration > longest)) {
    const limits = [formatDuration(shortest), formatDuration(longest)];
    return trans.__('“duration” must be a whole number of seconds, from %1 to %2.', ...limits);
  }
  const length = duration ?? state.auto_stop?.duration ?? RUN_LENGTH;
  const body = trans.__('The instance then stops by itself after running for %1.', formatDuration(length));
  return {
    title: trans.__('Turn auto-stop on?'),
    body: `${ending(state, words)}${body} ${counted(words)}`,
    accept: trans.__('Turn On'),
    grave: false,
    run: () => model.change({ auto_stop: { enable: true, duration: length } }, state.version)
  };
}

/** From when a run length counts, which “4 h” alone does not tell. */
export function counted({ trans }: IWords): string {
  return trans.__('This counts from the start of the run, not from now.');
}

/** What ends when somebody decides about auto-stop; empty: nothing. */
function ending({ holds }: IState, { trans }: IWords): string {
  return holds.length > 0 ? `${trans.__('All holds and extensions of this run end.')} ` : '';
}

/** What another description would be; it is shown letter by letter. */
export function planDescribe({ description }: Args, model: IAutostopModel, words: IWords): Planned {
  const { trans } = words;
  const state = known(model.situation(), 'describe', words);
  if (typeof state === 'string') {
    return state;
  }
  if (typeof description !== 'string') {
    return trans.__('“description” must be a text.');
  }
  const fault = descriptionFault(description, state, words);
  return (
    fault || {
      title: trans.__('Change the description of the instance?'),
      body: description ? trans.__('It is then: “%1”', description) : trans.__('It is then empty.'),
      accept: trans.__('Change'),
      grave: false,
      run: () => model.change({ description }, state.version)
    }
  );
}

/** What stopping would do. */
export function planStop(_: Args, model: IAutostopModel, words: IWords): Planned {
  const { trans } = words;
  const state = known(model.situation(), 'stop', words);
  if (typeof state === 'string') {
    return state;
  }
  return {
    title: trans.__('Stop the instance now?'),
    body: trans.__(
      'Jupyter goes away with all kernels and terminals, and what is not saved is lost. Start the instance again in the ModelArts console.'
    ),
    accept: trans.__('Stop Now'),
    grave: true,
    run: () => model.stop()
  };
}

/** What is wrong with a description, in a sentence; empty: nothing. */
export function descriptionFault(text: string, state: IState, { trans }: IWords): string {
  const { description_max: most, description_forbidden: forbidden } = state.limits;
  // By code points, as the server and the platform count.
  const { length } = Array.from(text);
  if (length > most) {
    return trans.__('The description has %1 characters; the limit is %2.', length, most);
  }
  const found = Array.from(forbidden).filter(character => text.includes(character));
  return found.length > 0 ? trans.__('The description must not contain %1', found.join(' ')) : '';
}

/** The State, where it allows something; else the sentence that says why not. */
function known({ state, link }: ISituation, what: string, { trans }: IWords): IState | string {
  if (!state) {
    return link?.message ?? trans.__('Nothing is known of the instance yet; nothing was changed.');
  }
  return state.limits.why_not[what] ?? state;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

import { nullTranslator } from '@jupyterlab/translation';

import type { IAutoStop, IState } from '../src/api/types';
import type { IWords } from '../src/format/words';
import type { ISituation } from '../src/tokens';

export const HOUR = 3_600_000;
export const MINUTE = 60_000;
/** Monday, 23 November 2026, 12:00 UTC. */
export const NOON = Date.UTC(2026, 10, 23, 12);

export const trans = nullTranslator.load('jupyter_autostop');
export const words: IWords = { trans, locale: 'en' };

/** A running instance whose stop ModelArts keeps, 2 h 13 min away. */
export function stateOf(parts: Partial<IState> = {}): IState {
  return {
    instance: { id: 'DE-1', name: 'tuning', description: '', status: 'RUNNING' },
    auto_stop: {
      enable: true,
      duration: 14400,
      prompt: true,
      stop_timestamp: NOON + 133 * MINUTE,
      remain_time: 7980
    },
    deadline: { stop_timestamp: NOON + 133 * MINUTE, kept_by: 'platform' },
    next_start: null,
    run: { started_at: NOON - 107 * MINUTE, platform_stop: NOON + 133 * MINUTE, hard_stop: null },
    holds: [],
    outcome: null,
    limits: {
      duration: [3600, 86400],
      until: [NOON, NOON + 24 * HOUR],
      description_max: 512,
      description_forbidden: '&<>"\'/',
      can_extend: true,
      can_disable: true,
      can_stop: true,
      grace: 900,
      why_not: {}
    },
    version: 'a1.b1',
    server_time: NOON,
    confirmed_at: NOON,
    stale: false,
    problem: null,
    platform: 'demanager',
    emulated: false,
    ...parts
  };
}

export const OFF: IAutoStop = {
  enable: false,
  duration: 14400,
  prompt: true,
  stop_timestamp: null,
  remain_time: null
};

/** A State that ends `left` ms after noon. */
export function endingIn(left: number, parts: Partial<IState> = {}): IState {
  return stateOf({ deadline: { stop_timestamp: NOON + left, kept_by: 'platform' }, ...parts });
}

/** A State without a deadline, for the reason that `code` names. */
export function troubled(code: string, parts: Partial<IState> = {}): IState {
  return stateOf({
    deadline: null,
    instance: null,
    auto_stop: null,
    confirmed_at: null,
    stale: true,
    problem: { code, message: `It is ${code}.`, hint: 'Do something about it.' },
    ...parts
  });
}

export function situationOf(parts: Partial<ISituation> = {}): ISituation {
  const { state = stateOf() } = parts;
  const confirmedAt = state?.confirmed_at ?? null;
  return { state, link: null, now: NOON, confirmedAt, uncertain: false, pending: null, ...parts };
}

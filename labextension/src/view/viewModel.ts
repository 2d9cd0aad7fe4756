import type { TranslationBundle } from '@jupyterlab/translation';

import type { IState } from '../api/types';
import type { Level } from '../format/countdown';
import { formatCountdown, levelOf, shownStop, timeLeft } from '../format/countdown';
import { formatDuration } from '../format/duration';
import { age, dayTime } from '../format/moments';
import type { Phase, ProblemClass } from '../format/problems';
import { classify, phaseOf } from '../format/problems';
import type { IWords } from '../format/words';
import type { ILinkProblem, IPending, ISituation } from '../tokens';
import { details } from './details';
import { hasGone } from './serverGone';

/** Every picture that there is of an instance and its stop time. */
export type Kind =
  | 'running'
  | 'held'
  | 'stale'
  | 'off'
  | 'next-start'
  | 'gone' // with its Jupyter server, as far as can be told
  | ProblemClass
  | Exclude<Phase, 'running'>
  | ILinkProblem['kind'];

/** What to show, in words only: whoever draws it adds shape and colour. */
export interface IView {
  kind: Kind;
  level: Level;
  /** A change is under way, and what is shown of it is not confirmed yet. */
  pending: boolean;
  /** The countdown, or the few words that stand in its place. */
  text: string;
  /** What the reader must know to take the text for what it is; often empty. */
  note: string;
  /** The text of the emulator's badge; empty for a real platform. */
  badge: string;
  /** When it stops, as people say it (`Stops today at 18:40.`); empty where nobody knows. */
  when: string;
  /** Everything there is to say, a fact per line. */
  title: string;
  /** What a screen reader says for the countdown. */
  label: string;
}

type Core = Pick<IView, 'kind' | 'level' | 'text'> & { note?: string; label?: string };

/** The view of a situation: honest about what is not known, never blank, never below zero. */
export function describe(situation: ISituation, words: IWords): IView {
  const { trans } = words;
  const { state, link, pending } = situation;
  const core = state ? ofState(state, situation, trans) : beforeFirst(link, trans);
  // A link that failed says so beside what was last known, which is all there is to go by.
  const known = state && link ? linkNote(link, trans) : (core.note ?? '');
  return {
    kind: link && (core.kind === 'running' || core.kind === 'held') ? 'stale' : core.kind,
    level: core.level,
    pending: pending !== null,
    text: core.text,
    note: pending ? pendingNote(pending, trans) : known,
    badge: state?.emulated ? trans.__('emulated') : '',
    when: whenOf(situation, core.kind, words),
    title: details(situation, core.kind, words).join('\n'),
    label: core.label ?? trans.__('Auto-stop: %1', core.text)
  };
}

function whenOf(situation: ISituation, kind: Kind, words: IWords): string {
  const stop = shownStop(situation);
  return stop !== null && (kind === 'running' || kind === 'held' || kind === 'stale')
    ? words.trans.__('Stops %1.', dayTime(stop, situation.now, words))
    : '';
}

function beforeFirst(link: ILinkProblem | null, trans: TranslationBundle): Core {
  if (!link) {
    return ofProblem('waiting', trans);
  }
  const texts: { [name in ILinkProblem['kind']]: string } = {
    lost: trans.__('No connection to Jupyter'),
    logged_out: trans.__('Logged out of Jupyter'),
    forbidden: trans.__('Stop time not shown to you'),
    missing: trans.__('Auto-stop not loaded'),
    failed: trans.__('Stop time unknown')
  };
  return { kind: link.kind, level: 'warning', text: texts[link.kind] };
}

function linkNote(link: ILinkProblem, trans: TranslationBundle): string {
  const noAnswer = trans.__('no answer');
  const notes: { [name in ILinkProblem['kind']]: string } = {
    lost: trans.__('no connection'),
    logged_out: trans.__('logged out'),
    forbidden: trans.__('no permission'),
    missing: noAnswer,
    failed: noAnswer
  };
  return notes[link.kind];
}

function pendingNote(pending: IPending, trans: TranslationBundle): string {
  return pending.until === null ? trans.__('change under way') : trans.__('not confirmed yet');
}

function ofState(state: IState, situation: ISituation, trans: TranslationBundle): Core {
  const { now } = situation;
  if (hasGone(situation)) {
    return { kind: 'gone', level: 'urgent', text: trans.__('Stopped, it seems') };
  }
  const phase = phaseOf(state.instance?.status);
  if (phase !== 'running') {
    return ofPhase(phase, state, now, trans);
  }
  const left = timeLeft(shownStop(situation), now);
  if (left !== null) {
    return left > 0 ? counting(state, left, now, trans) : ofProblem('overdue', trans);
  }
  if (state.problem) {
    return ofProblem(classify(state.problem.code), trans);
  }
  if (!state.auto_stop || state.stale) {
    return ofProblem('unknown', trans);
  }
  if (state.next_start?.enable) {
    const note = trans.__('on from the next start');
    return { kind: 'next-start', level: 'normal', text: trans.__('Auto-stop off'), note };
  }
  if (state.auto_stop.enable) {
    return ofProblem('idle-rule', trans);
  }
  return { kind: 'off', level: 'normal', text: trans.__('Auto-stop off') };
}

function counting(state: IState, left: number, now: number, trans: TranslationBundle): Core {
  const seconds = Math.floor(left / 1000);
  const shown = seconds >= 600 ? seconds - (seconds % 60) : seconds;
  return {
    kind: state.stale ? 'stale' : state.deadline?.kept_by === 'server' ? 'held' : 'running',
    level: levelOf(seconds),
    text: formatCountdown(seconds),
    note: state.stale ? staleNote(state, now, trans) : '',
    label: trans.__('The instance stops in %1', formatDuration(shown))
  };
}

/** Why the countdown is old, where that is something to act on; else how old. */
function staleNote(state: IState, now: number, trans: TranslationBundle): string {
  switch (state.problem && classify(state.problem.code)) {
    case 'refused':
      return trans.__('credentials refused');
    case 'no-credentials':
      return trans.__('no credentials');
    case 'denied':
      return trans.__('no permission');
    case 'not-found':
      return trans.__('instance not found');
    case 'frozen':
      return trans.__('instance frozen');
    default:
      return state.confirmed_at === null
        ? trans.__('not confirmed')
        : trans.__('last confirmed %1', age(now - state.confirmed_at, trans));
  }
}

function ofPhase(
  phase: Exclude<Phase, 'running'>,
  state: IState,
  now: number,
  trans: TranslationBundle
): Core {
  const note = state.stale ? staleNote(state, now, trans) : '';
  const shown: { [name in typeof phase]: [string, Level?] } = {
    starting: [trans.__('Instance starting')],
    stopping: [trans.__('Instance stopping'), 'urgent'],
    stopped: [trans.__('Instance stopped')],
    resizing: [trans.__('Instance being resized')],
    frozen: [trans.__('Instance frozen'), 'warning'],
    broken: [trans.__('Instance not available'), 'warning'],
    deleted: [trans.__('Instance deleted'), 'urgent']
  };
  const [text, level = 'normal'] = shown[phase];
  return { kind: phase, level, text, note };
}

function ofProblem(problem: ProblemClass, trans: TranslationBundle): Core {
  const texts: { [name in ProblemClass]: string } = {
    waiting: trans.__('Looking up the stop time…'),
    unconfigured: trans.__('Auto-stop not set up'),
    'no-credentials': trans.__('Auto-stop: no credentials'),
    refused: trans.__('Auto-stop: credentials refused'),
    denied: trans.__('Auto-stop: no permission'),
    'not-found': trans.__('Instance not found'),
    frozen: trans.__('Instance frozen'),
    overdue: trans.__('Stop time passed'),
    'no-stop-time': trans.__('Stop time not given'),
    'idle-rule': trans.__('No fixed stop time'),
    unsupported: trans.__('Auto-stop not supported yet'),
    unknown: trans.__('Stop time unknown')
  };
  const quiet: ProblemClass[] = ['waiting', 'unconfigured', 'unsupported', 'idle-rule'];
  const level = quiet.includes(problem) ? 'normal' : 'warning';
  return { kind: problem, level, text: texts[problem] };
}

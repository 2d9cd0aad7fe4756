import type { IDeadline, IJournalEntry, ILimits, IProblem, IState } from './types';

/** The furthest moment that a JavaScript date can name, in ms; formatting a later one throws. */
const LAST_MOMENT = 8.64e15;

/** Whether an answer is a State as far as this page relies on it. */
export function isState(value: unknown): value is IState {
  return (
    isRecord(value) &&
    isMoment(value.server_time) &&
    [value.stale, value.emulated].every(flag => typeof flag === 'boolean') &&
    typeof value.version === 'string' &&
    (value.confirmed_at === null || isMoment(value.confirmed_at)) &&
    [value.instance, value.auto_stop, value.next_start].every(part => part === null || isRecord(part)) &&
    (value.deadline === null || isDeadline(value.deadline)) &&
    (value.problem === null || isProblem(value.problem)) &&
    Array.isArray(value.holds) &&
    isLimits(value.limits)
  );
}

/** Whether an answer is the journal. */
export function isJournal(value: unknown): value is { entries: IJournalEntry[] } {
  return isRecord(value) && Array.isArray(value.entries) && value.entries.every(isEntry);
}

function isEntry(value: unknown): value is IJournalEntry {
  return (
    isRecord(value) &&
    isMoment(value.at) &&
    [value.who, value.what, value.result].every(text => typeof text === 'string')
  );
}

function isRecord(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= LAST_MOMENT;
}

function isLimits(value: unknown): value is ILimits {
  return (
    isRecord(value) &&
    isRecord(value.why_not) &&
    [value.duration, value.until].every(pair => Array.isArray(pair))
  );
}

function isDeadline(value: unknown): value is IDeadline {
  return (
    isRecord(value) &&
    isMoment(value.stop_timestamp) &&
    (value.kept_by === 'platform' || value.kept_by === 'server')
  );
}

function isProblem(value: unknown): value is IProblem {
  return isRecord(value) && typeof value.code === 'string' && typeof value.message === 'string';
}

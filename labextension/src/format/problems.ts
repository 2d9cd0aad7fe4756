import type { TranslationBundle } from '@jupyterlab/translation';

/** What a problem's code comes to for the person who reads it. */
export type ProblemClass =
  | 'waiting' // for the platform's first answer
  | 'unconfigured'
  | 'no-credentials'
  | 'refused' // the credentials
  | 'denied' // the permission
  | 'not-found'
  | 'frozen'
  | 'overdue'
  | 'no-stop-time'
  | 'idle-rule'
  | 'unsupported'
  | 'unknown';

const OURS: { [code: string]: ProblemClass } = {
  not_asked: 'waiting',
  not_configured: 'unconfigured',
  configuration_invalid: 'unconfigured',
  no_credentials: 'no-credentials',
  credentials_refused: 'refused',
  permission_refused: 'denied',
  not_found: 'not-found',
  overdue: 'overdue',
  no_stop_time: 'no-stop-time',
  no_auto_stop: 'no-stop-time',
  idle_rule: 'idle-rule',
  not_yet_supported: 'unsupported'
};

// The platform's codes of the same meaning: a server passes them on in place of its own.
const MODELARTS: { [number: string]: ProblemClass } = {
  '6401': 'refused',
  '6201': 'refused',
  '6203': 'refused',
  '6620': 'refused',
  '6407': 'denied',
  '0108': 'denied',
  '0112': 'denied',
  '6309': 'not-found',
  '6404': 'not-found',
  '6326': 'frozen'
};
const GATEWAY: { [number: string]: ProblemClass } = {
  '0301': 'refused',
  '0307': 'refused',
  '0302': 'denied'
};

/** The class of a code; one that is not known here is `unknown`, and its message says the rest. */
export function classify(code: string): ProblemClass {
  const platform = /^(ModelArts|APIGW|APIG)\.([0-9]{4})$/.exec(code);
  const table = !platform ? OURS : platform[1] === 'ModelArts' ? MODELARTS : GATEWAY;
  const key = platform?.[2] ?? code;
  return own(table, key) ?? 'unknown';
}

/**
 * A sentence of the server's in the reader's language, which a catalogue has by its code.
 *
 * The sentence itself may hold names and numbers; where no catalogue knows the code, it is shown as it came.
 */
export function said(code: string, message: string, trans: TranslationBundle): string {
  const id = `error:${code}`;
  // eslint-disable-next-line jupyter/no-dynamic-translation -- the codes are the server's
  const translated = trans.__(id);
  return translated === id ? message : translated;
}

/** What an instance's status means for its stop time. */
export type Phase =
  'running' | 'starting' | 'stopping' | 'stopped' | 'resizing' | 'frozen' | 'broken' | 'deleted';

const PHASES: { [status: string]: Phase } = {
  RUNNING: 'running',
  SNAPSHOTTING: 'running',
  INIT: 'starting',
  CREATE_QUEUING: 'starting',
  CREATING: 'starting',
  START_QUEUING: 'starting',
  READY_TO_START: 'starting',
  STARTING: 'starting',
  RESTARTING: 'starting',
  STOPPING: 'stopping',
  STOPPED: 'stopped',
  RESIZING: 'resizing',
  FROZEN: 'frozen',
  CREATE_FAILED: 'broken',
  START_FAILED: 'broken',
  RESIZE_FAILED: 'broken',
  DELETE_FAILED: 'broken',
  UNAVAILABLE: 'broken',
  ERROR: 'broken',
  DELETING: 'deleted',
  DELETED: 'deleted'
};

/** The phase of a status; one not known here counts as running, so that a deadline is never hidden by it. */
export function phaseOf(status: string | null | undefined): Phase {
  const key = status ?? '';
  return own(PHASES, key) ?? 'running';
}

/** What a table says of a key; what every object has, like `constructor`, it does not say. */
function own<T>(table: { [key: string]: T }, key: string): T | undefined {
  return Object.entries(table).find(([name]) => name === key)?.[1];
}

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { IClock } from '../model/serverTime';
import { isState } from './guards';
import type { IState } from './types';

/** Where requests go, and by which clock their answers are timed. */
export interface IConnection {
  settings: ServerConnection.ISettings;
  clock: IClock;
}

/** A request to our part of the Jupyter server. */
export interface IRequest {
  method?: 'GET' | 'PATCH' | 'POST' | 'DELETE';
  /** Below the extension's own part of the server. */
  path: string;
  body?: object;
  headers?: { [name: string]: string };
  signal?: AbortSignal | undefined;
}

/** A State, and when on the monotonic clock its first byte was here. */
export interface IReceived {
  state: IState;
  at: number;
}

/** A request that brought no State. */
export class RequestError extends Error {}

/** The Jupyter server did not answer; what answers in its stead is a proxy. */
export class ConnectionLostError extends RequestError {}

/** The Jupyter server no longer knows who is asking. */
export class LoggedOutError extends RequestError {}

/** The Jupyter server answers, but runs no server extension of ours. */
export class MissingError extends RequestError {}

/** Voila runs as a server of its own, which can run no server extension. */
export class VoilaAloneError extends MissingError {}

/** An error that the server put in words. */
export class ApiError extends RequestError {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null = null,
    /** With a 409: what holds in place of what was assumed. */
    readonly state: IState | null = null,
    /** Seconds that the server wants to be left alone. */
    readonly retryAfter: number | null = null
  ) {
    super(message);
  }
}

const NAMESPACE = 'jupyter-autostop';
/** Where Voila, as a server of its own, sends who asks for a path that it does not know. */
const VOILA_FILE = /^[^?#]*\/voila\/files\//;
/** Longer than the server needs for a call with its retries; a dead connection would hang for minutes. */
const TIMEOUT = 45_000;
/** A write is several such calls: read, send, read back, and perhaps put back. */
const WRITE_TIMEOUT = 150_000;
/** What proxies answer in place of a server that is gone (424: a hub whose server is not running). */
const FROM_PROXIES = [424, 502, 503, 504];

/** Send a request that is answered with a State. */
export async function send(connection: IConnection, request: IRequest): Promise<IReceived> {
  const { body, at } = await receive(connection, request, isState);
  return { state: body, at };
}

/** Send a request whose answer must pass `is`; `at` is when its first byte was here. */
export async function receive<T>(
  connection: IConnection,
  request: IRequest,
  is: (body: unknown) => body is T
): Promise<{ body: T; at: number }> {
  const { response, at, text } = await exchange(connection, request);
  const body = parsed(text);
  if (response.redirected && VOILA_FILE.test(response.url)) {
    throw new VoilaAloneError();
  }
  if (response.redirected && body === undefined) {
    // Some hubs and proxies send a stranger to a page for logging in, with a good status.
    throw new LoggedOutError();
  }
  if (response.ok) {
    if (is(body)) {
      return { body, at };
    }
    throw new ApiError(
      response.status,
      'bad_answer',
      'The Jupyter server gave an answer that makes no sense.'
    );
  }
  const error = errorOf(response, body);
  if (response.status === 401 || response.status === 403) {
    await assertLoggedIn(connection, request.signal);
  }
  throw error;
}

interface IExchange {
  response: Response;
  at: number;
  text: string;
}

async function exchange(connection: IConnection, request: IRequest): Promise<IExchange> {
  const { settings, clock } = connection;
  const timeout = new AbortController();
  const abort = () => timeout.abort();
  const method = request.method ?? 'GET';
  const timer = setTimeout(abort, method === 'GET' ? TIMEOUT : WRITE_TIMEOUT);
  request.signal?.addEventListener('abort', abort);
  if (request.signal?.aborted) {
    abort();
  }
  // A page that is closed must not take with it what was asked for.
  const init: RequestInit = { method, signal: timeout.signal, keepalive: method !== 'GET' };
  if (request.body) {
    init.body = JSON.stringify(request.body);
  }
  init.headers = { 'Content-Type': 'application/json', ...request.headers };
  try {
    const url = URLExt.join(settings.baseUrl, request.path);
    const response = await ServerConnection.makeRequest(url, init, settings);
    // Before the body: the server told its time when it began to answer.
    const at = clock.monotonic();
    return { response, at, text: await response.text() };
  } catch (error) {
    throw new ConnectionLostError(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', abort);
  }
}

/** The path of one of our routes. */
export function route(name: string): string {
  return `${NAMESPACE}/${name}`;
}

/** A 403 means "not you" or "not allowed": the server's own route for "who am I" tells which. */
async function assertLoggedIn(connection: IConnection, signal: AbortSignal | undefined): Promise<void> {
  // Like our own routes this must not keep an idle server alive.
  const { response, text } = await exchange(connection, { path: 'api/me?no_track_activity=1', signal });
  const stranger = response.status === 401 || response.status === 403;
  if (stranger || (response.redirected && parsed(text) === undefined)) {
    throw new LoggedOutError();
  }
}

function errorOf(response: Response, body: unknown): RequestError {
  const { status } = response;
  const field = (name: string): unknown => (isObject(body) ? body[name] : undefined);
  const code = textOf(field('code'));
  const message = textOf(field('message')) ?? `The Jupyter server answered with status ${status}.`;
  if (code === null && FROM_PROXIES.includes(status)) {
    return new ConnectionLostError(message);
  }
  if (code === null && status === 404) {
    return new MissingError(message);
  }
  const state = field('state');
  return new ApiError(
    status,
    code ?? 'unexpected',
    message,
    textOf(field('hint')),
    isState(state) ? state : null,
    secondsOf(response.headers.get('Retry-After'))
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function secondsOf(header: string | null): number | null {
  return header !== null && /^[0-9]{1,6}$/.test(header) ? Number(header) : null;
}

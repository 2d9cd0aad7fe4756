import { linkProblem, retryDelay } from '../../src/api/errors';
import {
  ApiError,
  ConnectionLostError,
  LoggedOutError,
  MissingError,
  VoilaAloneError
} from '../../src/api/request';
import {
  deleteHold,
  extendInstance,
  getInstance,
  getJournal,
  patchInstance,
  stopInstance
} from '../../src/api/routes';
import { NOON, stateOf, trans } from '../samples';
import type { Answer } from '../server';
import { FakeServer, json, silence } from '../server';

const me = (): Response => json({ identity: { username: 'someone' } });
const WORDS = {
  message: 'No such instance.',
  code: 'ModelArts.6309',
  hint: 'Look at instance_id.',
  request_id: 'r-1'
};

/** The error of a GET that is answered so; `identity` is what "who am I" answers. */
async function failureOf(answer: Answer, identity: Answer = me()): Promise<unknown> {
  const server = new FakeServer(path => (path.startsWith('api/me') ? identity : answer));
  return getInstance(server.connection()).then(
    () => new Error('It brought a State.'),
    (error: unknown) => error
  );
}

function html(status: number): Response {
  return new Response('<html><img src=x onerror=alert(1)></html>', { status });
}

function redirected(response: Response, url = 'http://localhost/hub/login'): Response {
  Object.defineProperty(response, 'redirected', { value: true });
  Object.defineProperty(response, 'url', { value: url });
  return response;
}

describe('the verbs', () => {
  const server = new FakeServer(() => json(stateOf()));
  beforeEach(() => (server.requests.length = 0));

  it('read the State and note when the answer came', async () => {
    const received = await getInstance(server.connection({ monotonic: () => 42, wall: () => 0 }));
    expect(received).toEqual({ state: stateOf(), at: 42 });
    expect(server.paths).toEqual(['jupyter-autostop/instance']);
    expect(server.requests[0]?.method).toBe('GET');
  });

  it('have the server ask the platform only when told to', async () => {
    await getInstance(server.connection(), { refresh: true });
    expect(server.paths).toEqual(['jupyter-autostop/instance?refresh=1']);
  });

  it('send a change with the version that it was made for', async () => {
    await patchInstance(server.connection(), { description: 'Tuning' }, 'a1.b1');
    const request = server.requests[0];
    expect(request?.method).toBe('PATCH');
    expect(request?.headers.get('If-Match')).toBe('a1.b1');
    expect(request?.headers.get('Content-Type')).toBe('application/json');
    expect(await request?.json()).toEqual({ description: 'Tuning' });
  });

  it('extend until a moment, for the State that was seen, and stop', async () => {
    await extendInstance(server.connection(), NOON, 'a1.b1');
    await stopInstance(server.connection());
    expect(server.paths).toEqual(['jupyter-autostop/extend', 'jupyter-autostop/stop']);
    expect(server.requests[0]?.headers.get('If-Match')).toBe('a1.b1');
    expect(await Promise.all(server.requests.map(request => request.json()))).toEqual([{ until: NOON }, {}]);
  });

  it('end a hold, whatever is in its name', async () => {
    await deleteHold(server.connection(), 'a/../b');
    expect(server.requests[0]?.method).toBe('DELETE');
    expect(server.paths).toEqual(['jupyter-autostop/holds/a%2F..%2Fb?by=person']);
  });

  it('read the journal, and refuse what is none', async () => {
    const entry = { at: NOON, who: 'page', what: 'extend by 1 h', result: 'now' };
    const server = new FakeServer(() => json({ entries: [entry] }));
    expect(await getJournal(server.connection())).toEqual([entry]);
    for (const entries of [null, 'x', [null], [{ ...entry, at: 'now' }], [{ ...entry, who: 1 }]]) {
      server.answer = () => json({ entries });
      await expect(getJournal(server.connection())).rejects.toMatchObject({ code: 'bad_answer' });
    }
  });

  it('carry the token and the XSRF cookie as JupyterLab does', async () => {
    document.cookie = '_xsrf=2|abc';
    const settings = server.settings({ token: 'secret' });
    await stopInstance({ settings, clock: server.connection().clock });
    document.cookie = '_xsrf=; max-age=0';
    expect(server.requests[0]?.headers.get('X-XSRFToken')).toBe('2|abc');
    expect(server.requests[0]?.headers.get('Authorization')).toBe('token secret');
  });
});

describe('an answer of the server', () => {
  it('that is an error is one, with all that it says', async () => {
    const error = await failureOf(json({ ...WORDS, state: stateOf() }, 409, { 'Retry-After': '7' }));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 409,
      code: 'ModelArts.6309',
      message: 'No such instance.',
      hint: 'Look at instance_id.',
      state: stateOf(),
      retryAfter: 7
    });
  });

  it('that is no State is not taken for one', async () => {
    const wrong = [
      [],
      null,
      'x',
      {},
      { ...stateOf(), server_time: 'noon' },
      { ...stateOf(), deadline: { stop_timestamp: 1e300, kept_by: 'platform' } },
      { ...stateOf(), deadline: { stop_timestamp: NOON, kept_by: 'nobody' } },
      { ...stateOf(), problem: 'bad' }
    ];
    for (const body of wrong) {
      expect(await failureOf(json(body))).toMatchObject({ code: 'bad_answer' });
    }
    expect(await failureOf(html(200))).toMatchObject({ code: 'bad_answer' });
  });

  it('of our own 404 is about the instance, of another one about a missing extension', async () => {
    expect(await failureOf(json(WORDS, 404))).toBeInstanceOf(ApiError);
    expect(await failureOf(json({ message: 'Not Found', reason: null }, 404))).toBeInstanceOf(MissingError);
    expect(await failureOf(html(404))).toBeInstanceOf(MissingError);
  });

  it('without words of ours is still an error', async () => {
    expect(await failureOf(html(500))).toMatchObject({ status: 500, code: 'unexpected' });
    expect(await failureOf(json([1], 500))).toMatchObject({ status: 500, hint: null });
  });
});

describe('a lost connection', () => {
  it('is what no answer at all means', async () => {
    expect(await failureOf(new TypeError('Failed to fetch'))).toBeInstanceOf(ConnectionLostError);
  });

  it.each([424, 502, 503, 504])('is what a bare %d from a proxy means', async status => {
    expect(await failureOf(html(status))).toBeInstanceOf(ConnectionLostError);
    expect(await failureOf(json({ ...WORDS, code: 'no_answer' }, status))).toBeInstanceOf(ApiError);
  });

  it('is what an answer that breaks off means', async () => {
    const body = new ReadableStream({
      pull: controller => controller.error(new TypeError('reset'))
    });
    expect(await failureOf(new Response(body))).toBeInstanceOf(ConnectionLostError);
  });

  it('is what silence comes to', async () => {
    jest.useFakeTimers();
    const failure = failureOf(silence());
    await jest.advanceTimersByTimeAsync(45_000);
    jest.useRealTimers();
    expect(await failure).toBeInstanceOf(ConnectionLostError);
  });
});

describe('a refusal', () => {
  const forbidden = (): Response => json({ message: 'Forbidden', code: 'forbidden' }, 403);

  it.each([401, 403])('with %d for "who am I" too is a lost login', async status => {
    expect(await failureOf(forbidden(), json({}, status))).toBeInstanceOf(LoggedOutError);
  });

  it('of somebody who is known is a missing permission', async () => {
    expect(await failureOf(forbidden())).toMatchObject({ status: 403 });
  });

  it('that is not cleared up because the server has gone is a lost connection', async () => {
    expect(await failureOf(forbidden(), new TypeError('gone'))).toBeInstanceOf(ConnectionLostError);
  });

  it('asks "who am I" without keeping an idle server alive', async () => {
    const server = new FakeServer(path => (path.startsWith('api/me') ? me() : forbidden()));
    await getInstance(server.connection()).catch(() => undefined);
    expect(server.paths[1]).toBe('api/me?no_track_activity=1');
  });

  it('in the form of a page for logging in is a lost login', async () => {
    expect(await failureOf(redirected(html(200)))).toBeInstanceOf(LoggedOutError);
    expect(await failureOf(forbidden(), redirected(html(200)))).toBeInstanceOf(LoggedOutError);
  });

  it('is no lost login where Voila, without a Jupyter server, sends it to its files', async () => {
    const url = 'http://localhost:8866/voila/files/jupyter-autostop/instance';
    expect(await failureOf(redirected(html(403), url), html(403))).toBeInstanceOf(VoilaAloneError);
    const login = `http://localhost/hub/login?next=${url}`;
    expect(await failureOf(redirected(html(200), login))).toBeInstanceOf(LoggedOutError);
  });
});

describe('what the page makes of it', () => {
  const cases: [unknown, string][] = [
    [new ConnectionLostError('x'), 'lost'],
    [new LoggedOutError('x'), 'logged_out'],
    [new MissingError('x'), 'missing'],
    [new VoilaAloneError('x'), 'missing'],
    [new ApiError(403, 'forbidden', 'x'), 'forbidden'],
    [new ApiError(500, 'unexpected', 'It broke.'), 'failed'],
    ['nonsense', 'failed']
  ];
  it.each(cases)('%s is %s, with a sentence', (error, kind) => {
    const problem = linkProblem(error, trans);
    expect(problem.kind).toBe(kind);
    expect(problem.message).toMatch(/\.$/);
  });

  it('waits longer after each failure, up to a minute and a half', () => {
    const error = new ConnectionLostError('x');
    const waits = [1, 2, 3, 4, 5, 6, 7, 50].map(failures => retryDelay(error, failures, 0));
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
    expect(retryDelay(error, 50, 0.999)).toBeLessThan(90_000);
    expect(retryDelay(error, 50, 0.999)).toBeGreaterThan(85_000);
  });

  it('waits as long as the server wishes', () => {
    expect(retryDelay(new ApiError(503, 'throttled', 'x', null, null, 120), 1, 0)).toBe(120_000);
  });

  it('asks rarely where only a person can help', () => {
    for (const error of [new LoggedOutError('x'), new MissingError('x'), new ApiError(403, 'x', 'x')]) {
      expect(retryDelay(error, 1, 0)).toBeGreaterThan(300_000);
    }
  });
});

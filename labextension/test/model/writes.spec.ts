import type { IState } from '../../src/api/types';
import { AutostopModel } from '../../src/model/model';
import { GATHER } from '../../src/model/writes';
import { endingIn, HOUR, MINUTE, NOON, stateOf, trans } from '../samples';
import type { Answer } from '../server';
import { FakeServer, json } from '../server';

const STOP = NOON + 133 * MINUTE;

let server: FakeServer;
let model: AutostopModel;
let state: IState;
/** What is answered to a write; it is held back until it is called. */
let answers: ((answer: Response | Error) => void)[];

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

/** A State as it is after an extension until a moment, by another version. */
function extended(until: number, version = 'a2.b1', parts: Partial<IState> = {}): Response {
  state = endingIn(until - NOON, {
    version,
    outcome: { effect: 'now', message: 'This run now stops later.', clamped: false },
    ...parts
  });
  return json(state);
}

function refusal(status: number, body: object): Response {
  return json({ request_id: null, hint: null, ...body }, status);
}

async function bodies(method = 'POST'): Promise<unknown[]> {
  const sent = server.requests.filter(request => request.method === method);
  return Promise.all(sent.map(request => request.clone().json() as Promise<unknown>));
}

function versions(): (string | null)[] {
  return server.requests
    .filter(({ method }) => method !== 'GET')
    .map(request => request.headers.get('If-Match'));
}

const shown = (): number | undefined =>
  model.situation().pending?.until ?? model.state?.deadline?.stop_timestamp;

beforeEach(async () => {
  jest.useFakeTimers();
  state = stateOf();
  answers = [];
  server = new FakeServer((_, request): Answer => {
    if (request.method === 'GET') {
      return json({ ...state, outcome: null });
    }
    return new Promise<Response>((resolve, reject) =>
      answers.push(answer => (answer instanceof Error ? reject(answer) : resolve(answer)))
    );
  });
  model = new AutostopModel({
    settings: server.settings(),
    trans,
    clock: { monotonic: () => performance.now(), wall: () => NOON + performance.now() },
    random: () => 0
  });
  await pass(0);
});

afterEach(() => {
  model.dispose();
  jest.useRealTimers();
});

describe('clicks on more time', () => {
  it('are told once each, and so is the answer', async () => {
    const changes = jest.fn();
    model.changed.connect(changes);
    void model.extendBy(3600);
    expect(changes).toHaveBeenCalledTimes(1);
    void model.extendBy(3600);
    expect(changes).toHaveBeenCalledTimes(2);
    await pass(GATHER);
    expect(changes).toHaveBeenCalledTimes(2);
    answers[0]?.(extended(STOP + 2 * HOUR));
    await pass(0);
    expect(changes).toHaveBeenCalledTimes(3);
    expect(shown()).toBe(STOP + 2 * HOUR);
    expect(model.situation().pending).toBeNull();
  });

  it('that follow each other are one request with an absolute time, and show at once', async () => {
    const results = [model.extendBy(3600), model.extendBy(3600)];
    await pass(GATHER - 100);
    results.push(model.extendBy(4 * 3600));
    expect(shown()).toBe(STOP + 6 * HOUR);
    expect(model.situation().pending?.what).toBe('extend');
    await pass(GATHER - 100);
    expect(answers).toHaveLength(0);
    await pass(100);
    expect(await bodies()).toEqual([{ until: STOP + 6 * HOUR }]);
    answers[0]?.(extended(STOP + 6 * HOUR));
    for (const result of await Promise.all(results)) {
      expect(result).toEqual({
        outcome: { effect: 'now', message: 'This run now stops later.', clamped: false },
        refusal: null
      });
    }
    expect(model.situation().pending).toBeNull();
    expect(model.state?.deadline?.stop_timestamp).toBe(STOP + 6 * HOUR);
    expect(model.state?.outcome).toBeNull();
  });

  it('that come while one is under way wait for it, count from what it asked for, and are no conflict', async () => {
    const first = model.extendBy(3600);
    await pass(GATHER);
    const second = model.extendBy(3600);
    await pass(GATHER);
    expect(answers).toHaveLength(1);
    answers[0]?.(extended(STOP + HOUR));
    await first;
    await pass(0);
    expect(await bodies()).toEqual([{ until: STOP + HOUR }, { until: STOP + 2 * HOUR }]);
    expect(versions()).toEqual(['a1.b1', 'a2.b1']);
    answers[1]?.(extended(STOP + 2 * HOUR, 'a3.b1'));
    expect((await second).refusal).toBeNull();
  });

  it('name a time instead, and the last one counts', async () => {
    void model.extendBy(3600);
    void model.extendUntil(STOP + 30 * MINUTE);
    await pass(GATHER);
    expect(await bodies()).toEqual([{ until: STOP + 30 * MINUTE }]);
    answers[0]?.(extended(STOP + 30 * MINUTE));
    await pass(0);
  });

  it('say so where there is no stop time to count from, and ask nothing', async () => {
    state = stateOf({ deadline: null });
    await model.refresh();
    expect((await model.extendBy(3600)).refusal).toMatchObject({ code: 'no_deadline' });
    await pass(GATHER);
    expect(answers).toHaveLength(0);
  });

  it('tell each change of what is pending', async () => {
    const changes = jest.fn();
    model.changed.connect(changes);
    void model.extendBy(3600);
    expect(changes).toHaveBeenCalled();
    changes.mockClear();
    await pass(GATHER);
    answers[0]?.(extended(STOP + HOUR));
    await pass(0);
    expect(changes).toHaveBeenCalled();
  });
});

describe('a write that is refused', () => {
  it('goes back to what is confirmed, with the sentence and the way out of the server', async () => {
    const result = model.extendBy(3600);
    await pass(GATHER);
    answers[0]?.(refusal(403, { message: 'Not here.', code: 'policy', hint: 'Ask.' }));
    await pass(0);
    expect((await result).refusal).toEqual({
      ...{ code: 'policy', message: 'Not here.', hint: 'Ask.', conflict: null }
    });
    expect(shown()).toBe(STOP);
    expect(model.situation().pending).toBeNull();
  });

  it('because somebody else was there first brings what holds now', async () => {
    const other = endingIn(5 * HOUR, { version: 'a9.b1' });
    const result = model.change({ auto_stop: { enable: false } });
    expect(model.situation().pending).toEqual({ what: 'auto_stop', until: null });
    await pass(0);
    state = other;
    answers[0]?.(refusal(409, { message: 'Changed.', code: 'changed_elsewhere', state: other }));
    expect((await result).refusal).toMatchObject({ code: 'changed_elsewhere', conflict: other });
    await pass(0);
    expect(model.state?.version).toBe('a9.b1');
  });

  it('by silence is not claimed either way, and is looked for', async () => {
    const result = model.extendBy(3600);
    await pass(GATHER);
    const asked = server.requests.length;
    answers[0]?.(new TypeError('Failed to fetch'));
    expect((await result).refusal).toMatchObject({ code: 'lost' });
    await pass(0);
    expect(server.requests.length).toBe(asked + 1);
    expect(model.link).toBeNull();
  });

  it('for want of a login says what to do', async () => {
    server.answer = () => json({ message: 'Forbidden' }, 403);
    const result = await model.stop();
    expect(result.refusal).toMatchObject({ code: 'logged_out', conflict: null });
  });

  it('does not keep the next one from being made', async () => {
    const first = model.stop();
    const second = model.endHold('h1');
    await pass(0);
    answers[0]?.(refusal(409, { message: 'No.', code: 'not_running' }));
    expect((await first).refusal?.code).toBe('not_running');
    await pass(0);
    expect(server.paths.filter(path => path.includes('holds'))).toEqual([
      'jupyter-autostop/holds/h1?by=person'
    ]);
    answers[1]?.(json(stateOf()));
    expect((await second).refusal).toBeNull();
  });
});

describe('the version that was looked at', () => {
  it('is the one that is sent, even if a newer one has come since', async () => {
    state = stateOf({ version: 'a1.b7' });
    await model.refresh();
    void model.change({ description: 'mine' }, 'a1.b1');
    await pass(0);
    expect(versions()).toEqual(['a1.b1']);
    answers[0]?.(json(stateOf()));
    await pass(0);
  });

  it('is carried over our own writes, but not over the other part', async () => {
    void model.change({ auto_stop: { enable: false } });
    void model.change({ auto_stop: { enable: true } });
    void model.change({ description: 'mine' }, 'a1.b1');
    await pass(0);
    // Somebody else has changed the description meanwhile.
    answers[0]?.(json(stateOf({ version: 'a2.b5' })));
    await pass(0);
    answers[1]?.(json(stateOf({ version: 'a1.b5' })));
    await pass(0);
    expect(versions()).toEqual(['a1.b1', 'a2.b1', 'a1.b1']);
    answers[2]?.(json(stateOf()));
    await pass(0);
  });
});

describe('an answer to a look', () => {
  it('that was asked for before a write was answered does not bring back the old State', async () => {
    let release: (response: Response) => void = () => undefined;
    const write = model.extendBy(3600);
    await pass(GATHER);
    const usual = server.answer;
    server.answer = () => new Promise<Response>(resolve => (release = resolve));
    const look = model.refresh();
    await pass(0);
    server.answer = usual;
    answers[0]?.(extended(STOP + HOUR));
    await write;
    release(json(stateOf()));
    await look;
    expect(model.state?.deadline?.stop_timestamp).toBe(STOP + HOUR);
    await pass(0);
    expect(model.state?.deadline?.stop_timestamp).toBe(STOP + HOUR);
  });
});

describe('a page that is left', () => {
  it('sends what was clicked a moment ago, in a way that outlives it', async () => {
    void model.extendBy(3600);
    await pass(GATHER - 1);
    expect(await bodies()).toEqual([]);
    window.dispatchEvent(new window.Event('pagehide'));
    // Nothing waits for a timer any more.
    for (let step = 0; step < 20; step += 1) {
      await Promise.resolve();
    }
    expect(await bodies()).toEqual([{ until: STOP + HOUR }]);
    expect(server.requests[server.requests.length - 1]?.keepalive).toBe(true);
    answers.pop()?.(extended(STOP + HOUR));
    await pass(GATHER);
    expect(await bodies()).toHaveLength(1);
    expect(shown()).toBe(STOP + HOUR);
  });

  it('sends what waits for the answer to an earlier write, each once and in its order', async () => {
    void model.extendBy(3600);
    await pass(GATHER);
    void model.extendBy(3600);
    await pass(GATHER);
    void model.change({ description: 'mine' });
    const last = model.endHold('h1');
    expect(versions()).toEqual(['a1.b1']);
    window.dispatchEvent(new window.Event('pagehide'));
    await pass(0);
    expect(await bodies()).toEqual([{ until: STOP + HOUR }, { until: STOP + 2 * HOUR }]);
    expect(await bodies('PATCH')).toEqual([{ description: 'mine' }]);
    // The first will have changed the version, and the page is not there to learn it; an extension never shortens.
    expect(versions()).toEqual(['a1.b1', '*', 'a1.b1', null]);
    expect(server.requests.slice(1).every(({ keepalive }) => keepalive)).toBe(true);
    // A page that was kept, and comes back, sends nothing again.
    answers[0]?.(extended(STOP + HOUR));
    answers[1]?.(extended(STOP + 2 * HOUR, 'a3.b1'));
    answers[2]?.(extended(STOP + 2 * HOUR, 'a3.b2'));
    answers[3]?.(extended(STOP + 2 * HOUR, 'a3.b2'));
    expect((await last).refusal).toBeNull();
    expect(versions()).toHaveLength(4);
    expect(shown()).toBe(STOP + 2 * HOUR);
    expect(model.situation().pending).toBeNull();
  });
});

describe('a model that is disposed', () => {
  it('still sends what was clicked, tells what came of it, and takes nothing more', async () => {
    const result = model.extendBy(3600);
    model.dispose();
    await pass(0);
    expect(await bodies()).toEqual([{ until: STOP + HOUR }]);
    answers[0]?.(extended(STOP + HOUR));
    expect((await result).outcome?.effect).toBe('now');
    expect((await model.stop()).refusal?.code).toBe('unknown');
  });
});

describe('the journal', () => {
  it('is what the server has of it', async () => {
    const entry = { at: NOON, who: 'terminal', what: 'extend by 1 h', result: 'done' };
    server.answer = () => json({ entries: [entry] });
    expect(await model.journal()).toEqual([entry]);
  });

  it('that cannot be had says why in words for people', async () => {
    server.answer = () => new TypeError('Failed to fetch');
    await expect(model.journal()).rejects.toThrow('The connection to the Jupyter server is lost.');
  });
});

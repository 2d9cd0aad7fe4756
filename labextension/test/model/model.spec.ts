import type { Event } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { IState } from '../../src/api/types';
import { CHANGED_EVENT } from '../../src/model/hints';
import { AutostopModel, LOOKED_EVENT } from '../../src/model/model';
import { endingIn, HOUR, MINUTE, NOON, stateOf, trans } from '../samples';
import type { Answer } from '../server';
import { FakeServer, json, silence } from '../server';

/** A model before a server whose State and whose time a test sets, and a computer that may sleep. */
class Bench {
  state: IState = stateOf();
  /** What the server's clock is ahead of the test's monotonic one. */
  serverAhead = NOON - performance.now();
  slept = 0;
  readonly events = new Signal<object, Event.Emission>({});
  readonly turned = new Signal<object, boolean>({});
  readonly changes = jest.fn();
  readonly server = new FakeServer(() => json({ ...this.state, server_time: this.serverTime() }));
  readonly model: AutostopModel;

  constructor(answer?: () => Answer) {
    if (answer) {
      this.server.answer = answer;
    }
    this.model = new AutostopModel({
      settings: this.server.settings(),
      trans,
      events: this.events,
      turned: this.turned,
      clock: {
        monotonic: () => performance.now(),
        wall: () => NOON + 5 * HOUR + performance.now() + this.slept
      },
      random: () => 0
    });
    this.model.changed.connect(this.changes);
  }

  serverTime(): number {
    return performance.now() + this.serverAhead;
  }

  hint(schema = CHANGED_EVENT): void {
    this.events.emit({ schema_id: schema, version: 'whatever' });
  }

  /** The computer sleeps, its monotonic clock standing still, and the world goes on. */
  sleep(ms: number): void {
    this.slept += ms;
    this.serverAhead += ms;
  }

  /** How far the page's idea of the server's time is off. */
  error(): number {
    return Math.abs(this.model.situation().now - this.serverTime());
  }

  get asked(): number {
    return this.server.requests.length;
  }
}

let bench: Bench;

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

function show(visibility: 'visible' | 'hidden'): void {
  Object.defineProperty(document, 'visibilityState', { value: visibility, configurable: true });
  document.dispatchEvent(new window.Event('visibilitychange'));
}

beforeEach(() => {
  jest.useFakeTimers();
  bench = new Bench();
});

afterEach(() => {
  bench.model.dispose();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('a model', () => {
  it('asks once when it is made, and knows nothing before', async () => {
    bench.model.dispose();
    bench = new Bench();
    expect(bench.model.situation()).toMatchObject({ state: null, link: null });
    await pass(0);
    expect(bench.server.paths).toEqual(['jupyter-autostop/instance']);
    expect(bench.model.state?.version).toBe('a1.b1');
    expect(bench.changes).toHaveBeenCalledTimes(1);
  });

  it('of an idle page asks at most 12 times an hour, shown or hidden', async () => {
    bench.turned.emit(true);
    for (const visibility of ['visible', 'hidden'] as const) {
      await pass(0);
      show(visibility);
      const before = bench.asked;
      await pass(HOUR);
      expect(bench.asked - before).toBeGreaterThan(8);
      expect(bench.asked - before).toBeLessThanOrEqual(12);
    }
    show('visible');
    // Two hours of seconds, one by one.
  }, 60_000);

  it('asks every minute where no event can come', async () => {
    await pass(0);
    await pass(10 * MINUTE);
    expect(bench.asked).toBe(11);
    bench.turned.emit(true);
    await pass(0);
    bench.turned.emit(false);
    await pass(2 * MINUTE);
    const before = bench.asked;
    await pass(10 * MINUTE);
    expect(bench.asked).toBe(before + 10);
  });

  it('takes over from a look of the server when the platform has confirmed, without a request', async () => {
    await pass(0);
    const look = (confirmed_at: unknown): void => {
      const event = { schema_id: LOOKED_EVENT, version: '1', confirmed_at };
      bench.events.emit(event as Event.Emission);
    };
    await pass(30_000);
    const { state } = bench.model;
    look(NOON + 29_000);
    expect(bench.model.situation().confirmedAt).toBe(NOON + 29_000);
    expect(bench.changes).toHaveBeenCalledTimes(2);
    // What is forged or late makes nothing fresher than it can be.
    [NOON, NOON + 10 * MINUTE, 'now', null, undefined, NaN].forEach(look);
    expect(bench.model.situation().confirmedAt).toBe(NOON + 29_000);
    expect(bench.changes).toHaveBeenCalledTimes(2);
    expect(bench.model.state).toBe(state);
    expect(bench.asked).toBe(1);
  });

  it('believes no look while the State is stale', async () => {
    bench.state = stateOf({ stale: true, confirmed_at: NOON - MINUTE });
    await bench.model.refresh();
    bench.events.emit({ schema_id: LOOKED_EVENT, version: '1', confirmed_at: NOON });
    expect(bench.model.situation().confirmedAt).toBe(NOON - MINUTE);
  });

  it('emits only when something has changed, the passing of time aside', async () => {
    await pass(0);
    bench.state = stateOf({
      confirmed_at: NOON + 1000,
      auto_stop: { ...stateOf().auto_stop, remain_time: 7979 } as IState['auto_stop'],
      limits: { ...stateOf().limits, until: [NOON + 1000, NOON + HOUR] }
    });
    await bench.model.refresh();
    expect(bench.changes).toHaveBeenCalledTimes(1);
    expect(bench.model.state?.confirmed_at).toBe(NOON + 1000);
    const hold = {
      id: 'h',
      then: 'restore',
      reason: '',
      owner: { kind: 'person' },
      created_at: NOON
    } as const;
    bench.state = stateOf({ holds: [{ ...hold, until: NOON + HOUR }] });
    await bench.model.refresh();
    expect(bench.changes).toHaveBeenCalledTimes(2);
    bench.state = stateOf({ holds: [{ ...hold, until: NOON + 2 * HOUR }] });
    await bench.model.refresh();
    expect(bench.changes).toHaveBeenCalledTimes(3);
    bench.state = endingIn(3 * HOUR);
    await bench.model.refresh();
    expect(bench.changes).toHaveBeenCalledTimes(4);
  });

  it('has the platform asked on a click only', async () => {
    await pass(0);
    await bench.model.refresh(true);
    await bench.model.refresh();
    expect(bench.server.paths).toEqual([
      'jupyter-autostop/instance',
      'jupyter-autostop/instance?refresh=1',
      'jupyter-autostop/instance'
    ]);
  });

  it('joins what is asked meanwhile into one request after the one under way', async () => {
    await pass(0);
    let release: (response: Response) => void = () => undefined;
    bench.server.answer = () => new Promise(resolve => (release = resolve));
    const first = bench.model.refresh();
    const later = [bench.model.refresh(), bench.model.refresh(true), bench.model.refresh()];
    await pass(100);
    expect(bench.asked).toBe(2);
    release(json(endingIn(HOUR)));
    await first;
    await pass(0);
    expect(bench.server.paths.slice(2)).toEqual(['jupyter-autostop/instance?refresh=1']);
    release(json(endingIn(2 * HOUR)));
    await Promise.all(later);
    expect(bench.asked).toBe(3);
    expect(bench.model.state?.deadline?.stop_timestamp).toBe(NOON + 2 * HOUR);
  });

  it('takes back every listener that it has put on the page', () => {
    bench.model.dispose();
    const listeners: string[] = [];
    for (const target of [window, document] as EventTarget[]) {
      jest.spyOn(target, 'addEventListener').mockImplementation(type => void listeners.push(type));
      jest.spyOn(target, 'removeEventListener').mockImplementation(type => {
        listeners.splice(listeners.indexOf(type), 1);
      });
    }
    bench = new Bench();
    expect([...listeners].sort()).toEqual(['focus', 'online', 'pagehide', 'visibilitychange']);
    bench.model.dispose();
    expect(listeners).toEqual([]);
  });

  it('leaves nothing behind when disposed, with a request under way', async () => {
    await pass(0);
    bench.server.answer = silence;
    void bench.model.refresh();
    bench.model.dispose();
    bench.model.dispose();
    expect(bench.server.requests[1]?.signal.aborted).toBe(true);
    await pass(0);
    expect(jest.getTimerCount()).toBe(0);
    bench.hint();
    window.dispatchEvent(new window.Event('online'));
    window.dispatchEvent(new window.Event('focus'));
    show('visible');
    await bench.model.refresh();
    await pass(HOUR);
    expect(bench.asked).toBe(2);
    expect(bench.changes).toHaveBeenCalledTimes(1);
  });
});

describe('time', () => {
  it('is the server time, carried on by itself', async () => {
    await pass(0);
    await pass(123_456);
    expect(bench.error()).toBeLessThan(1);
  });

  it('is right at once after sleep, and is asked for again', async () => {
    await pass(0);
    bench.server.answer = () => new TypeError('no network yet');
    bench.sleep(HOUR);
    await pass(1001);
    expect(bench.error()).toBeLessThan(1100);
    expect(bench.model.situation()).toMatchObject({ uncertain: true, link: { kind: 'lost' } });
    bench.server.answer = () => json({ ...bench.state, server_time: bench.serverTime() });
    await pass(2500);
    expect(bench.model.situation()).toMatchObject({ uncertain: false, link: null });
    expect(bench.error()).toBeLessThan(1);
  });

  it('is put right when the computer clock was set, either way', async () => {
    await pass(0);
    for (const wrong of [HOUR, -HOUR]) {
      bench.slept += wrong;
      await pass(1001);
      expect(bench.model.situation().uncertain).toBe(false);
      expect(bench.error()).toBeLessThan(1);
    }
    expect(bench.asked).toBe(3);
  });

  it('is asked for again when the stop time has passed, once', async () => {
    bench.state = endingIn(10_000);
    await bench.model.refresh();
    await pass(10_000);
    expect(bench.asked).toBe(2);
    await pass(MINUTE);
    expect(bench.asked).toBe(3);
  });

  it('does not wait for a request that was under way when the computer went to sleep', async () => {
    await pass(0);
    bench.server.answer = silence;
    void bench.model.refresh();
    await pass(500);
    bench.server.answer = () => json({ ...bench.state, server_time: bench.serverTime() });
    bench.sleep(HOUR);
    await pass(1000);
    expect(bench.server.requests[1]?.signal.aborted).toBe(true);
    expect(bench.model.link).toBeNull();
    expect(bench.error()).toBeLessThan(1);
  });
});

describe('an answer', () => {
  it('that came in over a sleep is asked for once more', async () => {
    await pass(0);
    let release: (response: Response) => void = () => undefined;
    bench.server.answer = () => new Promise(resolve => (release = resolve));
    void bench.model.refresh();
    await pass(100);
    const old = json({ ...bench.state, server_time: bench.serverTime() });
    bench.server.answer = () => json({ ...bench.state, server_time: bench.serverTime() });
    bench.sleep(HOUR);
    release(old);
    await pass(0);
    expect(bench.asked).toBe(3);
    expect(bench.model.situation().uncertain).toBe(false);
    expect(bench.error()).toBeLessThan(1);
  });

  it('that a person wanted from the platform is still wanted from it after a request was given up', async () => {
    await pass(0);
    bench.server.answer = silence;
    void bench.model.refresh(true);
    await pass(100);
    bench.server.answer = () => json(stateOf());
    window.dispatchEvent(new window.Event('online'));
    await pass(0);
    expect(bench.server.paths.slice(1)).toEqual([
      'jupyter-autostop/instance?refresh=1',
      'jupyter-autostop/instance?refresh=1'
    ]);
  });
});

describe('a connection for events that is there again', () => {
  it('has the page look for what it may have missed', async () => {
    await pass(0);
    bench.state = endingIn(5 * HOUR);
    bench.turned.emit(true);
    await pass(0);
    expect(bench.asked).toBe(2);
    expect(bench.model.state?.deadline?.stop_timestamp).toBe(NOON + 5 * HOUR);
  });
});

describe('a connection for events that breaks', () => {
  it('has the page look soon whether the server is there, and say so when it is not', async () => {
    await pass(0);
    bench.server.answer = () => new TypeError('Failed to fetch');
    bench.turned.emit(false);
    await pass(5000);
    expect(bench.model.link).toMatchObject({ kind: 'lost' });
    bench.server.answer = () => json({ ...bench.state, server_time: bench.serverTime() });
    await pass(MINUTE);
    expect(bench.model.link).toBeNull();
    bench.server.answer = () => new TypeError('Failed to fetch');
    bench.turned.emit(false);
    await pass(5000);
    expect(bench.model.link).toMatchObject({ kind: 'lost' });
  });

  it('and is there again at once is worth one look', async () => {
    await pass(0);
    bench.turned.emit(false);
    await pass(1000);
    bench.turned.emit(true);
    await pass(5 * MINUTE);
    expect(bench.asked).toBe(2);
  });

  it('again and again, with the server there, is looked into ever more slowly', async () => {
    await pass(0);
    for (let breaks = 0; breaks < 60; breaks += 1) {
      bench.turned.emit(false);
      await pass(30_000);
    }
    // Half an hour; the slow resync alone is five of them.
    expect(bench.asked).toBeLessThan(12);
  }, 60_000);
});

describe('an event', () => {
  it('of ours is followed at once', async () => {
    await pass(0);
    bench.state = endingIn(5 * HOUR);
    bench.hint();
    await pass(0);
    expect(bench.model.state?.deadline?.stop_timestamp).toBe(NOON + 5 * HOUR);
  });

  it('of others is none of our business', async () => {
    await pass(0);
    bench.hint('https://events.jupyter.org/jupyter_server/kernel_actions/v1');
    await pass(1000);
    expect(bench.asked).toBe(1);
  });

  it('in a burst is followed by one request and one more', async () => {
    await pass(0);
    bench.state = endingIn(5 * HOUR);
    for (let i = 0; i < 100; i += 1) {
      bench.hint();
    }
    await pass(1000);
    expect(bench.asked).toBe(3);
  });

  it('that changed something does not delay the next one', async () => {
    await pass(0);
    for (let hours = 3; hours < 13; hours += 1) {
      bench.state = endingIn(hours * HOUR);
      bench.hint();
      await pass(10);
      expect(bench.model.state?.deadline?.stop_timestamp).toBe(NOON + hours * HOUR);
    }
  });

  it('that anybody invents cannot make a flood', async () => {
    await pass(0);
    for (let i = 0; i < 2000; i += 1) {
      bench.hint();
      await pass(10);
    }
    // Twenty seconds of a hundred a second: a request each would be 2000.
    expect(bench.asked).toBeLessThan(15);
    bench.state = endingIn(5 * HOUR);
    bench.hint();
    await pass(5000);
    expect(bench.model.state?.deadline?.stop_timestamp).toBe(NOON + 5 * HOUR);
  }, 60_000);
});

describe('a server that is away', () => {
  it('is said to be, and asked again with growing pauses until it is back', async () => {
    await pass(0);
    bench.server.answer = () => new TypeError('Failed to fetch');
    await bench.model.refresh();
    expect(bench.model.link).toMatchObject({ kind: 'lost' });
    expect(bench.model.state).not.toBeNull();
    expect(bench.changes).toHaveBeenCalledTimes(2);
    const before = bench.asked;
    await pass(7000);
    expect(bench.asked - before).toBe(3);
    await pass(10 * MINUTE);
    expect(bench.asked - before).toBeLessThan(17);
    expect(bench.changes).toHaveBeenCalledTimes(2);
    bench.server.answer = () => json({ ...bench.state, server_time: bench.serverTime() });
    await pass(MINUTE);
    expect(bench.model.link).toBeNull();
    expect(bench.changes).toHaveBeenCalledTimes(3);
    expect(bench.error()).toBeLessThan(1);
  });

  it('is asked at once when the network is back, also while an old request hangs', async () => {
    await pass(0);
    bench.server.answer = silence;
    void bench.model.refresh();
    await pass(100);
    bench.server.answer = () => json(endingIn(5 * HOUR));
    window.dispatchEvent(new window.Event('online'));
    await pass(0);
    expect(bench.model.state?.deadline?.stop_timestamp).toBe(NOON + 5 * HOUR);
  });

  it('from the start is said to be', async () => {
    bench.model.dispose();
    bench = new Bench(() => json({ message: 'Not Found' }, 404));
    await pass(0);
    expect(bench.model.situation()).toMatchObject({ state: null, link: { kind: 'missing' } });
    await pass(10 * MINUTE);
    expect(bench.asked).toBeLessThan(4);
  });
});

describe('a person who comes back', () => {
  it.each(['focus', 'visibilitychange'])('by %s sees a State that has been asked for', async type => {
    await pass(MINUTE);
    const target = type === 'focus' ? window : document;
    target.dispatchEvent(new window.Event(type));
    await pass(0);
    expect(bench.asked).toBe(2);
    target.dispatchEvent(new window.Event(type));
    await pass(1000);
    expect(bench.asked).toBe(2);
  });

  it('is told the time after sleep before the next tick', async () => {
    await pass(MINUTE);
    bench.sleep(HOUR);
    window.dispatchEvent(new window.Event('focus'));
    expect(bench.error()).toBeLessThan(1);
    await pass(0);
    expect(bench.model.situation().uncertain).toBe(false);
  });

  it('does not count while the page is hidden', async () => {
    bench.turned.emit(true);
    await pass(MINUTE);
    const before = bench.asked;
    show('hidden');
    await pass(1000);
    expect(bench.asked).toBe(before);
    show('visible');
    await pass(0);
    expect(bench.asked).toBe(before + 1);
  });
});

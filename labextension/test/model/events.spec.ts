import { Events } from '../../src/model/events';
import { FakeServer, FakeSocket, json } from '../server';

let events: Events;
const turned = jest.fn();
const heard = jest.fn();

/** The connection made last. */
function socket(): FakeSocket {
  const last = FakeSocket.made[FakeSocket.made.length - 1];
  if (!last) {
    throw new Error('No connection was made.');
  }
  return last;
}

beforeEach(async () => {
  jest.useFakeTimers();
  FakeSocket.made = [];
  turned.mockClear();
  heard.mockClear();
  const WebSocket = FakeSocket as unknown as typeof window.WebSocket;
  events = new Events(new FakeServer(() => json({})).settings({ WebSocket }));
  events.turned.connect((_, open) => void turned(open));
  events.stream.connect((_, event) => void heard(event));
  await jest.advanceTimersByTimeAsync(0);
});

afterEach(() => {
  events.dispose();
  jest.useRealTimers();
});

describe('the events of the server', () => {
  it('come by a connection below its base URL', () => {
    expect(socket().url).toBe('ws://jupyter.test/user/someone/api/events/subscribe');
    socket().send({ schema_id: 'one' });
    expect(heard).toHaveBeenCalledWith({ schema_id: 'one' });
  });

  it('are told to come from when the connection is open, each time anew, and to come no more when it breaks', async () => {
    expect(turned).not.toHaveBeenCalled();
    socket().open();
    expect(turned.mock.calls).toEqual([[true]]);
    socket().cut();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(2);
    expect(turned.mock.calls).toEqual([[true], [false]]);
    socket().open();
    expect(turned.mock.calls).toEqual([[true], [false], [true]]);
    socket().send({ schema_id: 'two' });
    expect(heard).toHaveBeenCalledWith({ schema_id: 'two' });
  });

  it('are not told to break off where they never came', async () => {
    for (let tries = 0; tries < 3; tries += 1) {
      socket().cut();
      await jest.advanceTimersByTimeAsync(60_000);
    }
    expect(FakeSocket.made.length).toBeGreaterThan(2);
    expect(turned).not.toHaveBeenCalled();
  });

  it('are connected to again in a hidden tab too', async () => {
    jest.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    socket().cut();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(2);
  });

  it('end with it', async () => {
    events.dispose();
    expect(socket().close).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(1);
  });
});

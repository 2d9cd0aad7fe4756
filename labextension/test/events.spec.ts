import { Events } from '../src/events';
import { FakeServer, FakeSocket, json } from './server';

let events: Events;
const opened = jest.fn();
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
  opened.mockClear();
  heard.mockClear();
  const WebSocket = FakeSocket as unknown as typeof window.WebSocket;
  events = new Events(new FakeServer(() => json({})).settings({ WebSocket }));
  events.opened.connect(opened);
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

  it('are told to come from when the connection is open, each time anew', async () => {
    expect(opened).not.toHaveBeenCalled();
    socket().open();
    expect(opened).toHaveBeenCalledTimes(1);
    socket().cut();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(2);
    expect(opened).toHaveBeenCalledTimes(1);
    socket().open();
    expect(opened).toHaveBeenCalledTimes(2);
    socket().send({ schema_id: 'two' });
    expect(heard).toHaveBeenCalledWith({ schema_id: 'two' });
  });

  it('are connected to again in a hidden tab too', async () => {
    jest.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    socket().cut();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(2);
  });

  it('end with it', async () => {
    events.dispose();
    expect(events.isDisposed).toBe(true);
    expect(socket().close).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(1);
  });
});

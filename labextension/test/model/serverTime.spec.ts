import { ServerTime } from '../../src/model/serverTime';
import { HOUR, NOON } from '../samples';

/** Two clocks that go together until somebody moves one of them. */
class FakeClock {
  mono = 5000;
  epoch = NOON + 17 * HOUR;
  monotonic = () => this.mono;
  wall = () => this.epoch;

  pass(ms: number): void {
    this.mono += ms;
    this.epoch += ms;
  }

  /** The computer sleeps: a monotonic clock stands still. */
  sleep(ms: number): void {
    this.epoch += ms;
  }
}

describe('ServerTime', () => {
  it.each([-HOUR, 0, HOUR])('counts from what the server said, with the computer %d ms wrong', wrong => {
    const clock = new FakeClock();
    clock.epoch = NOON + wrong;
    const time = new ServerTime(clock);
    time.set(NOON, clock.monotonic());
    clock.pass(90_500);
    expect(time.now()).toBe(NOON + 90_500);
    expect(time.uncertain).toBe(false);
  });

  it('counts from when the answer came, not from when it was read', () => {
    const clock = new FakeClock();
    const time = new ServerTime(clock);
    const at = clock.monotonic();
    clock.pass(400);
    time.set(NOON, at);
    expect(time.now()).toBe(NOON + 400);
  });

  it('counts sleep, in which the monotonic clock stood still, and says that it is not sure', () => {
    const clock = new FakeClock();
    const time = new ServerTime(clock);
    time.set(NOON, clock.monotonic());
    clock.sleep(HOUR);
    clock.pass(500);
    expect(time.check()).toBe(true);
    expect(time.now()).toBe(NOON + HOUR + 500);
    expect(time.uncertain).toBe(true);
    expect(time.check()).toBe(false);
    time.set(NOON + HOUR + 500, clock.monotonic());
    expect(time.now()).toBe(NOON + HOUR + 500);
    expect(time.uncertain).toBe(false);
  });

  it('does not give time back when the computer is set back, but says that it is not sure', () => {
    const clock = new FakeClock();
    const time = new ServerTime(clock);
    time.set(NOON, clock.monotonic());
    clock.epoch -= HOUR;
    expect(time.check()).toBe(true);
    expect(time.now()).toBe(NOON);
    expect(time.uncertain).toBe(true);
  });

  it('takes the small steps of a computer that keeps its clock right for nothing', () => {
    const clock = new FakeClock();
    const time = new ServerTime(clock);
    time.set(NOON, clock.monotonic());
    for (let tick = 0; tick < 1000; tick += 1) {
      clock.pass(1000);
      clock.sleep(tick % 2 ? 300 : -300);
      expect(time.check()).toBe(false);
    }
    expect(time.now()).toBe(NOON + 1_000_000);
  });

  it('stays unsure when the jump came while the answer was on its way', () => {
    const clock = new FakeClock();
    const time = new ServerTime(clock);
    const at = clock.monotonic();
    clock.sleep(HOUR);
    time.set(NOON, at);
    expect(time.uncertain).toBe(true);
    expect(time.now()).toBe(NOON + HOUR);
  });

  it('is the computer clock until the server has told its own', () => {
    const clock = new FakeClock();
    expect(new ServerTime(clock).now()).toBe(clock.epoch);
  });
});

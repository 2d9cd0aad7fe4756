import { Ticker, untilNextSecond } from '../../src/model/ticker';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('untilNextSecond', () => {
  it('reaches the moment at which the whole seconds drop, and no further', () => {
    for (const remaining of [1, 500, 999, 1000, 1001, 7_980_000, 7_980_123.4, -1, -1500]) {
      const delay = untilNextSecond(remaining);
      expect(delay).toBeGreaterThan(0);
      expect(delay).toBeLessThanOrEqual(1001);
      expect(Math.floor((remaining - delay) / 1000)).toBe(Math.floor(remaining / 1000) - 1);
    }
  });

  it('is a plain second where nothing is counted', () => {
    expect(untilNextSecond(null)).toBe(1000);
  });
});

describe('Ticker', () => {
  it('shows every second once, in step with what is left', () => {
    const end = performance.now() + 10_400;
    const ticker = new Ticker(() => end - performance.now());
    const seen: number[] = [];
    ticker.subscribe(() => seen.push(Math.floor((end - performance.now()) / 1000)));
    jest.advanceTimersByTime(6000);
    expect(seen).toEqual([9, 8, 7, 6, 5, 4]);
  });

  it('follows a deadline that moved at once', () => {
    let end = performance.now() + 10_900;
    const ticker = new Ticker(() => end - performance.now());
    const listener = jest.fn();
    ticker.subscribe(listener);
    end -= 800;
    ticker.align();
    jest.advanceTimersByTime(150);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('is one timer for any number of listeners, and none without one', () => {
    const ticker = new Ticker(() => null);
    expect(jest.getTimerCount()).toBe(0);
    const listeners = Array.from({ length: 50 }, () => jest.fn());
    const subscriptions = listeners.map(listener => ticker.subscribe(listener));
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(3000);
    listeners.forEach(listener => expect(listener).toHaveBeenCalledTimes(3));
    subscriptions.forEach(subscription => subscription.dispose());
    expect(jest.getTimerCount()).toBe(0);
  });

  it('lets the same function listen twice and leave once', () => {
    const ticker = new Ticker(() => null);
    const listener = jest.fn();
    const first = ticker.subscribe(listener);
    ticker.subscribe(listener);
    first.dispose();
    jest.advanceTimersByTime(1000);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('does not call a listener that another one has sent away in the same tick', () => {
    const ticker = new Ticker(() => null);
    const second = jest.fn();
    ticker.subscribe(() => subscription.dispose());
    const subscription = ticker.subscribe(second);
    jest.advanceTimersByTime(1000);
    expect(second).not.toHaveBeenCalled();
  });

  it('goes on when a listener fails', () => {
    const ticker = new Ticker(() => null);
    const listener = jest.fn(() => {
      throw new Error('broken');
    });
    ticker.subscribe(listener);
    expect(() => jest.advanceTimersByTime(1000)).toThrow('broken');
    expect(() => jest.advanceTimersByTime(1000)).toThrow('broken');
    expect(listener).toHaveBeenCalledTimes(2);
  });

  it('is still once disposed', () => {
    const ticker = new Ticker(() => null);
    const listener = jest.fn();
    ticker.subscribe(listener);
    ticker.dispose();
    ticker.subscribe(listener);
    ticker.align();
    jest.advanceTimersByTime(5000);
    expect(listener).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });
});

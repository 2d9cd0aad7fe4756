import { formatCountdown, levelOf, timeLeft } from '../../src/format/countdown';
import { parseDuration } from '../../src/format/duration';
import { trans } from '../samples';

/** What a countdown says, in seconds, for comparing it with what it stands for. */
function meant(text: string): number {
  const clock = /^([0-9]+):([0-9]{2})$/.exec(text);
  return clock ? Number(clock[1]) * 60 + Number(clock[2]) : parseDuration(text, trans);
}

describe('formatCountdown', () => {
  it('never says more than is left, nor a whole step less', () => {
    for (let seconds = 0.25; seconds < 30 * 3600; seconds += 13.37) {
      const said = meant(formatCountdown(seconds));
      expect(said).toBeLessThanOrEqual(seconds);
      expect(seconds - said).toBeLessThan(seconds < 600 ? 1 : 60);
    }
  });

  it('never goes up while time goes by', () => {
    let before = Infinity;
    for (let seconds = 7300; seconds >= 0; seconds -= 0.5) {
      const said = meant(formatCountdown(seconds));
      expect(said).toBeLessThanOrEqual(before);
      before = said;
    }
  });

  it('changes its form exactly at ten minutes and at the hour', () => {
    expect(formatCountdown(599.999)).toBe('9:59');
    expect(formatCountdown(600)).toBe('10 min');
    expect(formatCountdown(3599.999)).toBe('59 min');
    expect(formatCountdown(3600)).toBe('1 h');
    expect(formatCountdown(26 * 3600)).toBe('26 h');
  });
});

describe('levelOf', () => {
  it.each([
    [1800.5, 'normal'],
    [1800, 'warning'],
    [300.5, 'warning'],
    [300, 'urgent'],
    [0, 'urgent']
  ])('of %d s is %s', (seconds, level) => {
    expect(levelOf(seconds)).toBe(level);
  });
});

describe('timeLeft', () => {
  it('is the distance of two moments, also when the deadline is behind', () => {
    expect(timeLeft(5000, 2000)).toBe(3000);
    expect(timeLeft(2000, 5000)).toBe(-3000);
  });

  it('is nothing without a deadline', () => {
    expect(timeLeft(null, 5000)).toBeNull();
    expect(timeLeft(undefined, 5000)).toBeNull();
    expect(timeLeft(0, 5000)).toBe(-5000);
  });
});

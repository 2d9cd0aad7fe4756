import { formatCountdown } from '../../src/format/countdown';
import { DurationError, formatDuration, parseDuration } from '../../src/format/duration';
import { trans } from '../samples';
import { table } from '../table';

function refusal(text: string): DurationError {
  try {
    parseDuration(text, trans);
  } catch (error) {
    if (error instanceof DurationError) {
      return error;
    }
    throw error;
  }
  throw new Error(`“${text}” was taken for a duration.`);
}

describe('the table shared with the Python side', () => {
  it('is there', () => {
    expect(table.durations.length).toBeGreaterThan(20);
    expect(table.formats.length).toBeGreaterThan(3);
    expect(table.countdowns.length).toBeGreaterThan(3);
  });

  it.each(table.durations.filter(row => row.error === undefined))('reads $text as $seconds s', row => {
    expect(parseDuration(row.text, trans)).toBe(row.seconds);
  });

  it.each(table.durations.filter(row => row.error !== undefined))('refuses "$text" as $error', row => {
    expect(refusal(row.text).kind).toBe(row.error);
  });

  it.each(table.formats)('writes $seconds s as $text', row => {
    expect(formatDuration(row.seconds)).toBe(row.text);
  });

  it.each(table.countdowns)('counts $seconds s down as $text', row => {
    expect(formatCountdown(row.seconds)).toBe(row.text);
  });
});

describe('parseDuration', () => {
  it('is exact where floating point is not', () => {
    expect(parseDuration('4.35h', trans)).toBe(15660);
    expect(parseDuration('1.1h', trans)).toBe(3960);
    expect(parseDuration('0.29m', trans)).toBe(17);
  });

  it('reads decimals as the ratio that they are, rounded down', () => {
    for (let hundredths = 1; hundredths < 2000; hundredths += 7) {
      const text = `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}h`;
      expect(parseDuration(text, trans)).toBe(hundredths * 36);
    }
  });

  it('gives the way out of an ambiguous number', () => {
    expect(refusal('90').message).toContain('90m or 90h');
  });

  it('reads letters of other alphabets as no unit', () => {
    for (const text of ['2\u017f', '2m\u0131n', '2\u210e', '\u0662h', '2h\u200b30m']) {
      expect(refusal(text).kind).toBe('syntax');
    }
  });

  it('takes no clock time for a duration that has more hours than anybody means', () => {
    expect(refusal('999999:00').kind).toBe('range');
    expect(refusal('9999999:00').kind).toBe('syntax');
  });

  it('answers a hostile text at once', () => {
    const started = Date.now();
    for (const text of ['9'.repeat(100_000) + 'h', ' '.repeat(100_000) + 'x', '1h '.repeat(50_000)]) {
      expect(refusal(text).message.length).toBeLessThan(200);
    }
    expect(refusal('7'.repeat(100_000)).kind).toBe('ambiguous');
    expect(Date.now() - started).toBeLessThan(1000);
  });
});

describe('formatDuration', () => {
  it('writes what parseDuration reads back as the same', () => {
    for (let seconds = 1; seconds < 365 * 86400; seconds += 1 + Math.floor(seconds / 50)) {
      expect(parseDuration(formatDuration(seconds), trans)).toBe(seconds);
    }
  });

  it('keeps every second of a day', () => {
    const texts = new Set<string>();
    for (let seconds = 1; seconds <= 86400; seconds += 1) {
      texts.add(formatDuration(seconds));
    }
    expect(texts.size).toBe(86400);
  });

  it('rounds down and never writes nothing', () => {
    expect(formatDuration(59.999)).toBe('59 s');
    expect(formatDuration(0)).toBe('0 s');
    expect(formatDuration(-3)).toBe('0 s');
  });
});

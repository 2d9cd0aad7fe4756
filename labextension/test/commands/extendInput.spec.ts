import { moreTime, typedLength, typedWish } from '../../src/commands/extendInput';
import { dayTime, formatMoment } from '../../src/format/moments';
import { isMoment } from '../../src/format/until';
import type { ISituation } from '../../src/tokens';
import { endingIn, HOUR, MINUTE, NOON, situationOf, stateOf, words } from '../samples';
import { table } from '../table';

const { durations } = table;

function wish(text: string, parts: Partial<ISituation> = {}): ReturnType<typeof typedWish> {
  return typedWish(text, situationOf(parts), words);
}

describe('what is typed', () => {
  it.each(durations.filter(row => row.seconds !== undefined && !isMoment(row.text)))(
    'takes $text for an amount',
    ({ text, seconds = 0 }) => {
      expect(wish(text)).toMatchObject({ by: seconds, until: null });
    }
  );

  it.each(durations.filter(row => row.error !== undefined && !isMoment(row.text)))(
    'is told why "$text" is none',
    ({ text }) => {
      const { by, until, text: why } = wish(text);
      expect([by, until]).toEqual([null, null]);
      expect(why).not.toBe('');
    }
  );

  it('means a stop time, which is shown while typing', () => {
    expect(wish('2h30m').text).toBe('Stops today at 16:43.');
    expect(wish('18:00')).toEqual({ by: null, until: NOON + 6 * HOUR, text: 'Stops today at 18:00.' });
    expect(wish('2026-11-24T09:00').text).toBe('Stops tomorrow at 09:00.');
  });

  it('means the clock where a colon could mean either, and says how to write the other', () => {
    const limits = { ...stateOf().limits, until: [NOON, NOON + 48 * HOUR] as [number, number] };
    expect(wish('1:30', { state: stateOf({ limits }) })).toEqual({
      by: null,
      until: NOON + 13.5 * HOUR,
      text: 'Stops tomorrow at 01:30. For a length write 1h30m.'
    });
    expect(wish('26:00', { state: stateOf({ limits }) })).toMatchObject({ by: 26 * 3600 });
  });

  it.each(['banana', '17.30pm', '25:99', '1:75', '2 h our', 'soon at 6', '2026-02-30T09:00', '1,5h'])(
    'is answered with both things that are taken here: %s',
    text => {
      expect(wish(text)).toEqual({
        by: null,
        until: null,
        text: `“${text}” is neither a duration such as 2h30m nor a time such as 18:00.`
      });
    }
  );

  it('may be a time as people say it, in any zone', () => {
    expect(wish('6pm')).toMatchObject({ until: NOON + 6 * HOUR, text: 'Stops today at 18:00.' });
    expect(wish('tomorrow 9:00')).toMatchObject({ until: NOON + 21 * HOUR });
    expect(wish('１８：００')).toMatchObject({ until: NOON + 6 * HOUR });
    expect(wish('18:00+08:00')).toMatchObject({ until: NOON + 22 * HOUR });
    expect(wish('18:00 Asia/Beijing').text).toContain('“Asia/Beijing” is no time zone');
  });

  it('is asked for its unit where a number is no time of day', () => {
    expect(wish('45').text).toBe('“45” could be minutes or hours; write 45m or 45h.');
    expect(wish('1.5').text).toContain('write 1.5m or 1.5h');
    expect(wish('17.30').text).toContain('write 17.30m or 17.30h');
    // Where only a length is taken, a colon makes one.
    expect(typedLength('17.30', stateOf().limits, words).text).toContain('minutes or hours');
    expect(typedLength('6pm', stateOf().limits, words).text).toContain('1:30');
  });

  it('is counted from what was asked for before, not from what is confirmed', () => {
    const pending = { what: 'extend' as const, until: NOON + 5 * HOUR };
    expect(wish('1h', { pending }).text).toBe('Stops today at 18:00.');
  });

  it('says what the limit leaves of it', () => {
    expect(wish('30h')).toMatchObject({
      by: 30 * 3600,
      text: 'Stops tomorrow at 12:00. Asked for 30 h, the limit is 24 h from now.'
    });
    expect(wish('2026-11-25T18:00').text).toBe(
      'Stops tomorrow at 12:00. Asked for Wednesday, November 25 at 18:00, the limit is 24 h from now.'
    );
  });

  it('never shortens', () => {
    const { by, until, text } = wish('13:00');
    expect([by, until]).toEqual([null, null]);
    expect(text).toContain('not shortened');
  });
});

describe('more time', () => {
  it('cannot be had beyond the limit, and says so before anybody asks', () => {
    const state = endingIn(24 * HOUR);
    expect(moreTime(3600, situationOf({ state }), words)).toEqual({
      by: null,
      until: null,
      text: 'This run lasts as long as it may already.'
    });
  });

  it('is just as much as stands on the button, or none, with what there could be', () => {
    const soon = situationOf({ state: endingIn(21 * HOUR + 50 * MINUTE) });
    expect(moreTime(3600, soon, words)).toMatchObject({ by: 3600, text: 'Stops tomorrow at 10:50.' });
    expect(moreTime(4 * 3600, soon, words)).toEqual({
      by: null,
      until: null,
      text: 'At most 2 h 10 min more are possible.'
    });
  });

  it('gives the server’s reason where there is one', () => {
    const limits = {
      ...stateOf().limits,
      can_extend: false,
      why_not: { extend: 'The instance is not running.' }
    };
    const refused = moreTime(3600, situationOf({ state: stateOf({ limits }) }), words);
    expect(refused).toMatchObject({ by: null, text: 'The instance is not running.' });
  });
});

describe('the length of a run', () => {
  it.each([
    ['1h', 3600],
    ['24h', 86400],
    ['59m', null],
    ['24h1s', null],
    ['4', null]
  ])('%s is %s s', (text, seconds) => {
    const length = typedLength(text, stateOf().limits, words);
    expect(length.seconds).toBe(seconds);
    expect(length.text === '').toBe(seconds !== null);
  });

  it('names both limits', () => {
    expect(typedLength('30m', stateOf().limits, words).text).toBe('A run lasts from 1 h to 24 h.');
  });
});

describe('a moment', () => {
  it('is today, tomorrow, or a day with its date', () => {
    expect(dayTime(NOON + 11 * HOUR, NOON, words)).toBe('today at 23:00');
    expect(dayTime(NOON + 12 * HOUR, NOON, words)).toBe('tomorrow at 00:00');
    expect(dayTime(NOON + 36 * HOUR, NOON, words)).toBe('Wednesday, November 25 at 00:00');
    expect(dayTime(NOON - 13 * HOUR, NOON, words)).toBe('Sunday, November 22 at 23:00');
  });

  it('is written as the reader’s language does, and in the browser’s own where that is none', () => {
    expect(dayTime(NOON + 36 * HOUR, NOON, { ...words, locale: 'de' })).toBe(
      'Mittwoch, 25. November um 00:00'
    );
    expect(formatMoment(NOON, 'no such language!')).toContain('12:00');
  });
});

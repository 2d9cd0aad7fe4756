import { DurationError } from '../../src/format/duration';
import { isMoment, readUntil } from '../../src/format/until';
import { browserZone, DAY_S, namedZone } from '../../src/format/zones';
import { NOON, trans } from '../samples';
import { table } from '../table';

const { moments } = table;

function refusal(row: (typeof moments)[number]): DurationError {
  try {
    readUntil(row.text, Date.parse(row.now), trans, row.zone);
  } catch (error) {
    if (error instanceof DurationError) {
      return error;
    }
    throw error;
  }
  throw new Error(`“${row.text}” was taken for a time.`);
}

describe('the table of moments shared with the Python side', () => {
  it.each(moments.filter(row => row.error === undefined))(
    '$text in $zone, seen at $now, is $at',
    ({ text, zone, now, at = '', told }) => {
      const moment = readUntil(text, Date.parse(now), trans, zone);
      expect(new Date(moment.at).toISOString()).toBe(new Date(at).toISOString());
      expect(moment.remark === '').toBe(told === undefined);
      expect(moment.remark).toContain(told ?? '');
      expect(isMoment(text)).toBe(true);
    }
  );

  it.each(moments.filter(row => row.error !== undefined))('refuses "$text" as $error', row => {
    expect(refusal(row).kind).toBe(row.error);
    expect(refusal(row).message).toMatch(/\.$/);
  });
});

describe('a time around a change of the clocks', () => {
  const year = NOON / 1000;

  /** The hours between which a zone changes its offset, in the year after noon. */
  function changes(zone: string): number[] {
    const { offset } = namedZone(zone) ?? fail(zone);
    const found: number[] = [];
    for (let at = year; at < year + 365 * DAY_S; at += DAY_S) {
      if (offset(at) !== offset(at + DAY_S)) {
        let [before, after] = [at, at + DAY_S];
        while (after - before > 1) {
          const middle = Math.floor((before + after) / 2);
          [before, after] = offset(middle) === offset(at) ? [middle, after] : [before, middle];
        }
        found.push(after);
      }
    }
    return found;
  }

  function fail(zone: string): never {
    throw new Error(`no zone ${zone}`);
  }

  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Africa/Cairo',
    'America/Santiago'
  ];

  it.each([
    ...zones,
    'Africa/Casablanca',
    'Asia/Beirut',
    'America/Nuuk',
    'Antarctica/Troll',
    'Pacific/Chatham'
  ])('is the earliest one ahead that the text can mean, in %s', zone => {
    const { offset } = namedZone(zone) ?? fail(zone);
    expect(changes(zone).length).toBeGreaterThanOrEqual(2);
    for (const change of changes(zone)) {
      for (let minutes = -180; minutes <= 180; minutes += 61) {
        const now = (change + 60 * minutes) * 1000;
        for (let wanted = -240; wanted <= 240; wanted += 45) {
          const before = offset(change - 1);
          const shown = (change + before + 60 * wanted) % DAY_S;
          const text = new Date(shown * 1000).toISOString().slice(11, 16);
          const { at, remark } = readUntil(text, now, trans, zone);
          // By brute force: the first minute ahead that shows the text, or the change where it skips it.
          let minute = Math.floor(now / 60_000) * 60 + 60;
          const gap = offset(change) - before;
          const into = (shown - ((change + before) % DAY_S) + DAY_S) % DAY_S;
          const skips = (moment: number): boolean => moment === change && into < gap;
          while ((minute + offset(minute)) % DAY_S !== shown && !skips(minute)) {
            minute += 60;
          }
          expect([text, at / 1000]).toEqual([text, minute]);
          expect(remark.includes('skipped')).toBe((at / 1000 + offset(at / 1000)) % DAY_S !== shown);
        }
      }
    }
  });

  it('is read in the browser’s own zone where none is named', () => {
    const own = readUntil('18:00', NOON, trans);
    expect(own).toEqual(readUntil('18:00', NOON, trans, browserZone()));
    expect(new Date(own.at).getHours()).toBe(18);
  });

  it('can be named by an abbreviation that the reader’s zone has, and by no other', () => {
    const now = '2026-11-23T12:00:00Z';
    expect(readUntil('8:00 cst', Date.parse(now), trans, 'America/Chicago').at).toBe(
      Date.parse(now) + 2 * 3600_000
    );
    for (const text of ['8:00 CST', '8:00 EST', '8:00 IST']) {
      expect(refusal({ text, now, zone: 'Europe/Berlin' }).kind).toBe('zone');
    }
  });
});

it('a text that has the form of a time is told from a length by that alone', () => {
  expect(['18:00', '1:30', '23:59:59', '6pm', 'tomorrow', '2026-11-24', '18：00'].every(isMoment)).toBe(true);
  expect(['26:00', '2h', '1:5', '', '18', '6 m', '45', 'banana'].some(isMoment)).toBe(false);
});

import { viewsOf } from '../../src/view/sharedViews';
import type { IView } from '../../src/view/viewModel';
import { FakeModel } from '../fakes';
import { endingIn, HOUR, MINUTE, NOON, words } from '../samples';

let model: FakeModel;

/** Let a second pass, on the clock and for whoever ticks. */
function second(): void {
  model.known = { ...model.known, now: model.known.now + 1000 };
  jest.advanceTimersByTime(1000);
}

beforeEach(() => {
  jest.useFakeTimers();
  model = new FakeModel();
});

afterEach(() => {
  model.ticker.dispose();
  jest.useRealTimers();
});

describe('what fifty countdowns show', () => {
  it('is looked at once a tick, and drawn only where it has changed', () => {
    model.know({ state: endingIn(2 * HOUR + 5500) });
    const draws = Array.from({ length: 50 }, () => jest.fn((view: IView, more: boolean) => [view, more]));
    const followed = draws.map(draw => viewsOf(model, { ...words }).follow(draw));
    for (const draw of draws) {
      expect(draw.mock.calls).toEqual([[expect.objectContaining({ text: '2 h' }), true]]);
      draw.mockClear();
    }
    const looked = jest.spyOn(model, 'situation' as never);
    for (let tick = 0; tick < 5; tick += 1) {
      second();
    }
    expect(looked).toHaveBeenCalledTimes(5);
    expect(draws.every(draw => draw.mock.calls.length === 0)).toBe(true);
    second();
    for (const draw of draws) {
      expect(draw.mock.calls).toEqual([[expect.objectContaining({ text: '1 h 59 min' }), false]]);
    }
    followed.forEach(each => each.dispose());
  });

  it('changes by the second below ten minutes, and tells when it is more than that', () => {
    model.know({ state: endingIn(5 * MINUTE + 1500) });
    const draw = jest.fn((view: IView, more: boolean) => [view, more]);
    const followed = viewsOf(model, words).follow(draw);
    second();
    second();
    expect(draw.mock.calls.map(([{ text, level }, more]) => [text, level, more])).toEqual([
      ['5:01', 'warning', true],
      ['5:00', 'urgent', true],
      ['4:59', 'urgent', false]
    ]);
    model.know({ state: endingIn(HOUR + 5000), now: NOON });
    expect(draw).toHaveBeenLastCalledWith(expect.objectContaining({ text: '1 h' }), true);
    followed.dispose();
    draw.mockClear();
    model.know({ state: null });
    second();
    expect(draw).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });
});

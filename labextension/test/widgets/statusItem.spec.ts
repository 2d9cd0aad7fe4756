import { Widget } from '@lumino/widgets';

import { StatusItem } from '../../src/widgets/statusItem';
import { FakeModel } from '../fakes';
import { endingIn, HOUR, MINUTE, NOON, situationOf, stateOf, words } from '../samples';

let model: FakeModel;
let item: StatusItem;
let toggle: jest.Mock;

function find(selector: string): HTMLElement {
  const found = item.node.querySelector<HTMLElement>(selector);
  if (!found) {
    throw new Error(`There is no ${selector}.`);
  }
  return found;
}

beforeEach(() => {
  jest.useFakeTimers();
  model = new FakeModel();
  toggle = jest.fn();
  item = new StatusItem({ model, words, toggle, name: 'jp-AutostopStatus' });
  Widget.attach(item, document.body);
});

afterEach(() => {
  item.dispose();
  model.ticker.dispose();
  jest.useRealTimers();
});

describe('the status item', () => {
  it('is a silent timer with a name, and the label of a button that the keyboard reaches', () => {
    const timer = find('.jp-AutostopCountdown[role="timer"]');
    expect(timer.textContent).toBe('2 h 13 min');
    expect(timer.getAttribute('aria-label')).toBe('The instance stops in 2 h 13 min');
    expect(timer.getAttribute('aria-live')).toBe('off');
    expect(timer.closest('button')).toBeNull();
    expect(item.button.tabIndex).toBe(0);
    expect(item.button.getAttribute('aria-label')).toBe('Auto-stop');
    expect(item.button.getAttribute('aria-haspopup')).toBe('dialog');
    expect(item.button.getAttribute('aria-expanded')).toBe('false');
    expect(item.node.title).toContain('Monday, November 23 at 14:13 UTC');
    expect(item.button.title).toBe(item.node.title);
    expect(item.node.querySelector('[aria-live="polite"]')).toBeNull();
  });

  it('opens the card wherever it is pressed, once', () => {
    find('.jp-AutostopCountdown').click();
    expect(toggle.mock.calls).toEqual([[item]]);
    item.button.click();
    expect(toggle).toHaveBeenCalledTimes(2);
    find('svg').dispatchEvent(new window.MouseEvent('click', { bubbles: true }));
    expect(toggle).toHaveBeenCalledTimes(3);
  });

  it('has the server looked at when somebody looks at it', () => {
    item.node.dispatchEvent(new window.Event('pointerenter'));
    expect(model.look).toHaveBeenCalledTimes(1);
    item.button.focus();
    expect(model.look).toHaveBeenCalledTimes(2);
  });

  it('tells the rest to those who come by keyboard, for as long as they stay', () => {
    const tip = (): string | undefined => document.querySelector('.jp-AutostopTip')?.textContent ?? undefined;
    const byKeyboard = jest.spyOn(item.button, 'matches').mockReturnValue(false);
    item.button.focus();
    expect(tip()).toBeUndefined();
    item.button.blur();
    byKeyboard.mockReturnValue(true);
    item.button.focus();
    expect(tip()).toBe(item.node.title);
    model.know({ state: endingIn(3 * HOUR) });
    expect(tip()).toContain('at 15:00 UTC');
    item.button.blur();
    expect(tip()).toBeUndefined();
    item.button.focus();
    item.button.click();
    expect(tip()).toBeUndefined();
  });

  it('marks a time that is asked for and not confirmed', () => {
    model.know({ pending: { what: 'extend', until: NOON + 3 * HOUR } });
    expect(find('.jp-AutostopCountdown').textContent).toBe('3 h');
    expect(find('.jp-AutostopStatus-note').textContent).toBe('not confirmed yet');
    expect(item.node.hasAttribute('data-pending')).toBe(true);
    expect(item.node.title).toMatch(/^Asked for: .*15:00.*\nStops .*14:13/);
    model.know({ pending: null });
    expect(find('.jp-AutostopCountdown').textContent).toBe('2 h 13 min');
    expect(item.node.hasAttribute('data-pending')).toBe(false);
  });

  it('ticks', () => {
    model.known = situationOf({ state: endingIn(5 * MINUTE), now: NOON });
    jest.advanceTimersByTime(1000);
    expect(find('.jp-AutostopCountdown').textContent).toBe('5:00');
    model.known = { ...model.known, now: NOON + 1000 };
    jest.advanceTimersByTime(1000);
    expect(find('.jp-AutostopCountdown').textContent).toBe('4:59');
    expect(item.node.dataset.level).toBe('urgent');
  });

  it('follows a change without waiting for a tick', () => {
    model.know({ state: endingIn(3 * HOUR) });
    expect(find('.jp-AutostopCountdown').textContent).toBe('3 h');
  });

  it('leaves the document alone while nothing that it shows has changed', async () => {
    model.know({ state: endingIn(2 * HOUR + 59_999) });
    const records: MutationRecord[] = [];
    const observer = new MutationObserver(list => records.push(...list));
    observer.observe(item.node, { attributes: true, childList: true, characterData: true, subtree: true });
    for (let second = 1; second <= 59; second += 1) {
      model.known = { ...model.known, state: endingIn(2 * HOUR + 59_999), now: NOON + second * 1000 };
      jest.advanceTimersByTime(1000);
    }
    await Promise.resolve();
    records.push(...observer.takeRecords());
    observer.disconnect();
    expect(records).toEqual([]);
    expect(find('.jp-AutostopCountdown').textContent).toBe('2 h');
  });

  it('has a badge and a note only when there is something in them', () => {
    expect(find('.jp-AutostopBadge').hidden).toBe(true);
    expect(find('.jp-AutostopStatus-note').hidden).toBe(true);
    model.know({
      state: stateOf({ emulated: true }),
      link: { kind: 'lost', message: 'No answer.', hint: '' }
    });
    expect(find('.jp-AutostopBadge').hidden).toBe(false);
    expect(find('.jp-AutostopBadge').textContent).toBe('emulated');
    expect(find('.jp-AutostopStatus-note').textContent).toBe('no connection');
    model.know({ state: stateOf(), link: null });
    expect(find('.jp-AutostopBadge').hidden).toBe(true);
    expect(find('.jp-AutostopStatus-note').hidden).toBe(true);
  });

  it('changes its shape with the level and the state', () => {
    const shape = (): string | null => find('path').getAttribute('d');
    const shapes = new Set([shape()]);
    for (const state of [endingIn(10 * MINUTE), stateOf({ deadline: null, auto_stop: null }), null]) {
      model.know({ state });
      shapes.add(shape());
    }
    expect(shapes.size).toBe(4);
    expect(item.node.querySelectorAll('svg').length).toBe(1);
  });

  it('takes what comes from the cloud for text', () => {
    const evil = '<img src=x onerror="document.title=1">';
    model.know({
      state: stateOf({
        deadline: null,
        instance: { id: 'DE-1', name: evil, status: evil },
        problem: { code: evil, message: evil, hint: evil }
      })
    });
    expect(item.node.querySelector('img')).toBeNull();
    expect(item.node.title).toContain(evil);
  });

  it('lets go of the model when disposed', () => {
    const situation = jest.spyOn(model, 'situation');
    item.dispose();
    model.changed.emit();
    jest.advanceTimersByTime(5000);
    expect(situation).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });
});

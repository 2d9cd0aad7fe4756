import { Widget } from '@lumino/widgets';
import { act } from 'react';

import type { IJournalEntry, IState } from '../../src/api/types';
import { Picture } from '../../src/components/Card';
import type { IResult } from '../../src/tokens';
import { CardWidget } from '../../src/widgets/cardWidget';
import { DONE, FakeModel } from '../fakes';
import { endingIn, HOUR, MINUTE, NOON, OFF, stateOf, troubled, words } from '../samples';

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const LOST = { kind: 'lost', message: 'The connection is lost.', hint: 'It is tried again.' } as const;

let model: FakeModel;
let card: CardWidget;
let ask: jest.Mock<Promise<boolean>, [string, string, string, boolean?]>;

beforeEach(() => {
  model = new FakeModel();
  ask = jest.fn<Promise<boolean>, [string, string, string, boolean?]>(() => Promise.resolve(true));
  act(() => {
    card = new CardWidget({ model, words, ask });
    Widget.attach(card, document.body);
  });
});

afterEach(() => {
  act(() => card.dispose());
  model.ticker.dispose();
});

function all<T extends HTMLElement>(selector: string): T[] {
  return [...card.node.querySelectorAll<T>(selector)];
}

function button(name: string): HTMLButtonElement {
  const found = all<HTMLButtonElement>('button').find(
    node => (node.getAttribute('aria-label') ?? node.textContent) === name
  );
  if (!found) {
    throw new Error(`There is no button “${name}”.`);
  }
  return found;
}

function field(label: string): HTMLInputElement {
  const found = all<HTMLLabelElement>('label').find(node => node.textContent.startsWith(label));
  const control = found?.control;
  if (!control) {
    throw new Error(`There is no field “${label}”.`);
  }
  // A text area has what is asked of it here, too.
  return control as HTMLInputElement;
}

async function press(name: string): Promise<void> {
  await act(async () => {
    button(name).click();
    await Promise.resolve();
  });
}

/** Type a text as a person would: React looks at the value's own setter. */
function type(label: string, text: string): void {
  const control = field(label);
  const prototype = Object.getPrototypeOf(control) as object;
  act(() => {
    Object.getOwnPropertyDescriptor(prototype, 'value')?.set?.call(control, text);
    control.dispatchEvent(new Event('input', { bubbles: true }));
  });
}

async function submit(label: string): Promise<void> {
  await act(async () => {
    field(label).form?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
    await Promise.resolve();
  });
}

function know(parts: Parameters<FakeModel['know']>[0]): void {
  act(() => model.know(parts));
}

function text(): string {
  return card.node.textContent;
}

function said(): string {
  return all('[role="status"]')
    .map(node => node.textContent)
    .join('');
}

function isOff(name: string): boolean {
  return button(name).getAttribute('aria-disabled') === 'true';
}

/** The text that a control is described by. */
function reason(node: HTMLElement): string {
  const ids = (node.getAttribute('aria-describedby') ?? '').split(' ');
  return ids.map(id => document.getElementById(id)?.textContent ?? '').join('');
}

function refusedWith(message: string, conflict: IState | null = null): IResult {
  return { outcome: null, refusal: { code: 'x', message, hint: 'Try later.', conflict } };
}

function limited(why_not: { [what: string]: string }, parts: Partial<IState> = {}): IState {
  const limits = { ...stateOf().limits, why_not, can_extend: !('extend' in why_not) };
  return stateOf({ limits, ...parts });
}

describe('the head', () => {
  it('is a silent timer, with the moment and who keeps it', () => {
    const timer = all('.jp-AutostopCountdown[role="timer"]')[0];
    expect(timer?.textContent).toBe('2 h 13 min');
    expect(timer?.getAttribute('aria-label')).toBe('The instance stops in 2 h 13 min');
    expect(timer?.getAttribute('aria-live')).toBe('off');
    expect(text()).toContain('Stops today at 14:13.');
    expect(text()).toContain('Kept by ModelArts.');
    expect(all('.jp-AutostopCard')).toHaveLength(1);
  });

  it('says what this server’s keeping is worth', () => {
    know({
      state: endingIn(5 * HOUR, {
        auto_stop: OFF,
        deadline: { stop_timestamp: NOON + 5 * HOUR, kept_by: 'server' }
      })
    });
    expect(text()).toContain(
      "Kept by this server until today at 17:00; ModelArts' own auto-stop is off until then."
    );
    expect(text()).toContain('If this server never comes back, nothing stops the run.');
  });

  it('writes nothing but the countdown when only time passes', () => {
    jest.useFakeTimers();
    const tick = jest.spyOn(model, 'situation');
    know({ state: endingIn(9 * MINUTE) });
    act(() => card.dispose());
    act(() => {
      card = new CardWidget({ model, words, ask });
      Widget.attach(card, document.body);
    });
    const seen: MutationRecord[] = [];
    const observer = new MutationObserver(records => seen.push(...records));
    observer.observe(card.node, { subtree: true, childList: true, characterData: true, attributes: true });
    const timer = all('.jp-AutostopCountdown')[0];
    for (let second = 1; second <= 20; second += 1) {
      model.known = { ...model.known, now: NOON + second * 1000 };
      act(() => jest.advanceTimersByTime(1001));
    }
    seen.push(...observer.takeRecords());
    expect(timer?.textContent).toBe('8:40');
    expect(seen.every(({ target }) => target === timer || target.parentNode === timer)).toBe(true);
    expect(tick).toHaveBeenCalled();
    jest.useRealTimers();
  });

  it('has words for every state, and the same only where there is no instance to speak of', () => {
    const states: (IState | null)[] = [
      null,
      stateOf(),
      endingIn(20 * MINUTE),
      endingIn(4 * MINUTE),
      endingIn(-MINUTE),
      stateOf({ deadline: null, auto_stop: OFF }),
      stateOf({ deadline: null, next_start: { enable: true, duration: 3600 } }),
      stateOf({ deadline: null }),
      ...['not_configured', 'no_credentials', 'credentials_refused', 'not_found', 'no_answer'].map(code =>
        troubled(code)
      ),
      ...['STARTING', 'STOPPING', 'STOPPED', 'FROZEN'].map(status =>
        stateOf({ instance: { id: 'DE-1', status } })
      )
    ];
    const texts = states.map(state => {
      know({ state });
      return all('.jp-AutostopCard-head')[0]?.textContent;
    });
    expect(texts.every(shown => shown && shown.length > 3)).toBe(true);
    expect(new Set(texts).size).toBe(states.length);
  });

  it('takes what comes from the cloud and from others for text', () => {
    const evil = '<img src=x onerror="document.title=1">';
    const owner = { kind: 'person' as const };
    const hold = {
      id: 'h',
      until: NOON + HOUR,
      then: 'stop' as const,
      reason: evil,
      owner,
      created_at: NOON
    };
    know({
      state: stateOf({
        instance: { id: 'DE-1', name: evil, description: evil, status: 'RUNNING' },
        holds: [hold]
      })
    });
    expect(card.node.querySelector('img')).toBeNull();
    expect(text()).toContain(evil);
    expect(field('Description').value).toBe(evil);
  });
});

describe('more time', () => {
  it('is a press away, and what came of it is said', async () => {
    model.extendBy.mockImplementation(() => {
      model.know({ state: endingIn(193 * MINUTE) });
      return Promise.resolve(DONE);
    });
    await press('Extend 1 h');
    expect(model.extendBy).toHaveBeenCalledWith(3600);
    expect(said()).toContain('Now stops today at 15:13.');
  });

  it('shows at once what was asked for, marked as not confirmed', () => {
    know({ pending: { what: 'extend', until: NOON + 4 * HOUR } });
    expect(text()).toContain('4 h');
    expect(text()).toContain('not confirmed yet');
    expect(text()).toContain('Stops today at 16:00.');
    expect(text()).toContain('Stops Monday, November 23 at 14:13 UTC.');
    expect(isOff('Extend 1 h')).toBe(false);
  });

  it('says why there is none, and what holds instead', async () => {
    model.result = refusedWith('ModelArts does not answer.');
    await press('Extend 4 h');
    expect(said()).toBe('ModelArts does not answer. Try later. It still stops today at 14:13.');
  });

  it.each(['none', 'next_start', 'unconfirmed'] as const)(
    'claims nothing where the effect is %s',
    async effect => {
      model.result = {
        outcome: { effect, message: 'The words of the server.', clamped: false },
        refusal: null
      };
      await press('Extend 1 h');
      expect(said()).toBe('The words of the server. It still stops today at 14:13.');
    }
  );

  it('tells that this server keeps it, or that it is less than was asked for', async () => {
    model.result = { outcome: { effect: 'held', message: 'It is held.', clamped: false }, refusal: null };
    await press('Extend 1 h');
    expect(said()).toBe('Now stops today at 14:13. It is held.');
    model.result = { outcome: { effect: 'now', message: 'Asked for more.', clamped: true }, refusal: null };
    await press('Extend 1 h');
    expect(said()).toBe('Now stops today at 14:13. Asked for more.');
  });

  it('is taken as an amount or a clock time, with what it means while typing', async () => {
    type('By how long', '2h30m');
    expect(reason(field('By how long'))).toBe('Stops today at 16:43.');
    await submit('By how long');
    expect(model.extendBy).toHaveBeenCalledWith(9000);
    expect(field('By how long').value).toBe('');
    type('By how long', '18:00');
    await submit('By how long');
    expect(model.extendUntil).toHaveBeenCalledWith(NOON + 6 * HOUR);
  });

  it('keeps what was typed when it is refused', async () => {
    model.result = refusedWith('No.');
    type('By how long', '2h');
    await submit('By how long');
    expect(field('By how long').value).toBe('2h');
  });

  it('is not asked for with a text that means nothing', async () => {
    type('By how long', '90');
    expect(field('By how long').getAttribute('aria-invalid')).toBe('true');
    expect(reason(field('By how long'))).toContain('write 90m or 90h');
    expect(isOff('Extend')).toBe(true);
    await submit('By how long');
    expect(model.extendBy).not.toHaveBeenCalled();
  });

  it('cannot be pressed where it cannot be had, and says why to all', async () => {
    know({ state: limited({ extend: 'The instance is not running.' }) });
    await press('Extend 1 h');
    expect(model.extendBy).not.toHaveBeenCalled();
    expect(isOff('Extend 1 h')).toBe(true);
    expect(reason(button('Extend 1 h'))).toBe('The instance is not running.');
    expect(button('Extend 1 h').disabled).toBe(false);
    expect(field('By how long').disabled).toBe(true);
  });

  it('cannot be pressed where it would be less than stands on the button', async () => {
    know({ state: endingIn(21 * HOUR + 50 * MINUTE) });
    expect(isOff('Extend 1 h')).toBe(false);
    expect(isOff('Extend 4 h')).toBe(true);
    expect(reason(button('Extend 4 h'))).toBe('At most 2 h 10 min more are possible.');
    await press('Extend 4 h');
    expect(model.extendBy).not.toHaveBeenCalled();
    type('By how long', '4h');
    expect(reason(field('By how long'))).toContain('Asked for 4 h, the limit is 24 h from now.');
    expect(isOff('Extend')).toBe(false);
  });

  it('says why there was none also when the State has moved on, until somebody asks again there', async () => {
    const conflict = stateOf({ version: 'a2.b1' });
    model.result = refusedWith('Somebody else has changed it.', conflict);
    await press('Extend 4 h');
    know({ state: endingIn(HOUR, { version: 'a2.b1' }) });
    expect(said()).toBe('Somebody else has changed it. Try later. It still stops today at 13:00.');
    type('By how long', '2h');
    expect(said()).toBe('');
    await press('Extend 4 h');
    know({ state: endingIn(HOUR, { version: 'a3.b1' }) });
    expect(said()).toContain('Somebody else has changed it.');
    model.result = DONE;
    await press('Extend 1 h');
    expect(said()).toBe('Now stops today at 13:00. ');
  });

  it('claims no longer that nobody knows what came of it when somebody does', async () => {
    model.result = {
      outcome: null,
      refusal: { code: 'lost', message: 'Whether this was done is not known.', hint: null, conflict: null }
    };
    await press('Extend 1 h');
    expect(said()).toContain('Whether this was done is not known.');
    know({ state: endingIn(HOUR) });
    expect(said()).toBe('');
  });

  it('says nothing that has stopped being true', async () => {
    await press('Extend 1 h');
    expect(said()).toContain('Now stops today at 14:13.');
    know({ state: endingIn(HOUR) });
    expect(said()).toBe('');
  });

  it('says it of the later of two clicks only', async () => {
    let first: (result: IResult) => void = () => undefined;
    model.extendBy.mockImplementationOnce(() => new Promise(resolve => (first = resolve)));
    await press('Extend 1 h');
    await press('Extend 4 h');
    await act(async () => {
      first(refusedWith('Too late.'));
      await Promise.resolve();
    });
    expect(said()).toBe('Now stops today at 14:13. ');
  });
});

describe('auto-stop', () => {
  it('goes off only after a question that names the cost', async () => {
    ask.mockResolvedValueOnce(false);
    await press('Auto-stop');
    expect(ask.mock.calls[0]?.join(' ')).toContain('bills');
    expect(model.change).not.toHaveBeenCalled();
    await press('Auto-stop');
    expect(model.change).toHaveBeenCalledWith({ auto_stop: { enable: false } }, 'a1.b1');
    expect(said()).toBe('Done.');
  });

  it('goes on with one of four lengths, or another', async () => {
    know({ state: stateOf({ deadline: null, auto_stop: OFF }) });
    expect(button('Auto-stop').getAttribute('aria-checked')).toBe('false');
    await press('Auto-stop');
    expect(text()).toContain('This counts from the start of the run, not from now.');
    await press('6 h');
    expect(model.change).toHaveBeenCalledWith({ auto_stop: { enable: true, duration: 21600 } }, 'a1.b1');
    await press('Auto-stop');
    type('Another run length', '30m');
    expect(reason(field('Another run length'))).toBe('A run lasts from 1 h to 24 h.');
    type('Another run length', '3h');
    model.result = refusedWith('No.');
    await submit('Another run length');
    expect(model.change).toHaveBeenLastCalledWith({ auto_stop: { enable: true, duration: 10800 } }, 'a1.b1');
    expect(field('Another run length').value).toBe('3h');
    expect(ask).not.toHaveBeenCalled();
  });

  it('stays as the site wants it', async () => {
    know({ state: limited({ disable: 'This site does not allow it.' }) });
    await press('Auto-stop');
    expect(ask).not.toHaveBeenCalled();
    expect(reason(button('Auto-stop'))).toBe('This site does not allow it.');
  });

  it('is on while this server keeps the stop, and says what counts later', () => {
    know({
      state: endingIn(HOUR, { auto_stop: OFF, deadline: { stop_timestamp: NOON + HOUR, kept_by: 'server' } })
    });
    expect(button('Auto-stop').getAttribute('aria-checked')).toBe('true');
    expect(text()).toContain('on, by this server; off at ModelArts');
    know({ state: stateOf({ deadline: null, next_start: { enable: true, duration: 7200 } }) });
    expect(text()).toContain('on · from the next start');
    know({ state: stateOf({ auto_stop: OFF, next_start: { enable: false, duration: null } }) });
    expect(text()).toContain('off · from the next start');
  });

  it('has its run length apart, counted from the next start', async () => {
    expect(field('Run length').value).toBe('4 h');
    expect(reason(field('Run length'))).toBe('Counts from the next start.');
    type('Run length', '6h');
    expect(reason(field('Run length'))).toBe('From the next start: auto-stop after 6 h.');
    await submit('Run length');
    expect(model.change).toHaveBeenCalledWith({ auto_stop: { duration: 21600 } });
    expect(field('Run length').value).toBe('4 h');
  });

  it('says beside each setting why it was not changed, also when the State has moved on', async () => {
    const refuse = async (control: HTMLElement | undefined, act: () => Promise<void>): Promise<void> => {
      await act();
      know({ state: stateOf({ version: `${control?.textContent}.b1` }) });
      expect(said()).toBe('Somebody else has changed it. Try later.');
      const told = all('[role="status"]').find(node => node.textContent);
      const near = [control?.closest('label, form, .jp-AutostopCard-row'), told?.previousElementSibling];
      expect(near[1]?.contains(near[0] ?? null) === true || near[1]?.previousElementSibling === near[0]).toBe(
        true
      );
    };
    model.result = refusedWith('Somebody else has changed it.');
    await refuse(button('Auto-stop'), () => press('Auto-stop'));
    ask.mockResolvedValueOnce(false);
    await press('Auto-stop');
    expect(said()).toBe('');
    type('Run length', '20h');
    await refuse(field('Run length'), () => submit('Run length'));
    expect(reason(field('Run length'))).toBe('');
    type('Run length', '21h');
    expect(said()).toBe('');
    expect(reason(field('Run length'))).toBe('From the next start: auto-stop after 21 h.');
    const check = all('input[type="checkbox"]')[0];
    await refuse(check, () =>
      act(async () => {
        check?.click();
        await Promise.resolve();
      })
    );
  });

  it('has reminders to turn off and on', async () => {
    const check = all<HTMLInputElement>('input[type="checkbox"]')[0];
    expect(check?.labels?.[0]?.textContent).toBe('Reminders by ModelArts');
    expect(check?.title).toContain('notice before the stop');
    await act(async () => {
      check?.click();
      await Promise.resolve();
    });
    expect(model.change).toHaveBeenCalledWith({ auto_stop: { prompt: false } });
    expect(text()).not.toContain('Reminders are off');
    know({ state: stateOf({ auto_stop: { ...OFF, enable: true, prompt: false } }) });
    expect(check?.labels?.[0]?.textContent).toBe('Reminders by ModelArts');
    expect(text()).toContain('Reminders are off');
  });
});

describe('the description', () => {
  const described = (description: string, server_time = NOON, version = 'a1.b1'): IState =>
    stateOf({ instance: { id: 'i', status: 'RUNNING', description }, server_time, version });
  const area = (): HTMLInputElement => field('Description');

  beforeEach(() => know({ state: described('Run 7') }));

  it('is counted as the server counts it, and its faults are named as typed', () => {
    type('Description', '🚀'.repeat(512));
    expect(text()).toContain('512 of 512');
    expect(isOff('Save')).toBe(false);
    type('Description', '🚀'.repeat(513));
    expect(reason(area())).toContain('512');
    expect(isOff('Save')).toBe(true);
    type('Description', 'a < b & c');
    expect(reason(area())).toMatch(/contain.*&.*</);
    expect(area().getAttribute('aria-invalid')).toBe('true');
  });

  it('is saved over what was there when the writing began', async () => {
    type('Description', 'Run 8');
    know({ state: described('Run 7', NOON + 1, 'a2.b1') });
    expect(area().value).toBe('Run 8');
    await press('Save');
    expect(model.change).toHaveBeenCalledWith({ description: 'Run 8' }, 'a1.b1');
    expect(all('button').map(node => node.textContent)).not.toContain('Save mine');
    expect(area().value).toBe('Run 7');
  });

  it('follows others while nobody writes, and never overwrites what is being written', async () => {
    know({ state: described('Run 9') });
    expect(area().value).toBe('Run 9');
    type('Description', 'Mine');
    know({ state: described('Theirs', NOON + 1, 'a1.b2') });
    expect(area().value).toBe('Mine');
    expect(text()).toContain('Changed elsewhere meanwhile, to:Theirs');
    await press('Save mine');
    expect(model.change).toHaveBeenCalledWith({ description: 'Mine' }, 'a1.b2');
  });

  it('shows both texts when a refusal brings another', async () => {
    model.result = refusedWith('Changed meanwhile.', described('Theirs', NOON + 5, 'a1.b5'));
    type('Description', 'Mine');
    await press('Save');
    expect(said()).toContain('Changed meanwhile.');
    expect(text()).toContain('to:Theirs');
    expect(area().value).toBe('Mine');
    model.result = DONE;
    await press('Save mine');
    expect(model.change).toHaveBeenLastCalledWith({ description: 'Mine' }, 'a1.b5');
  });

  it('gives way to theirs, or is dropped, and with it why it was not saved', async () => {
    type('Description', 'Mine');
    model.result = refusedWith('You may not.');
    await press('Save');
    expect(said()).toContain('You may not.');
    await press('Discard');
    expect(said()).toBe('');
    type('Description', 'Mine');
    know({ state: described('Theirs') });
    await press('Take theirs');
    expect(area().value).toBe('Theirs');
    type('Description', 'Mine again');
    await press('Discard');
    expect(area().value).toBe('Theirs');
  });

  it('is one draft for all cards, which outlives them and is not left without a question', () => {
    const leave = (): boolean => window.dispatchEvent(new Event('beforeunload', { cancelable: true }));
    expect(leave()).toBe(true);
    type('Description', 'Mine');
    expect(leave()).toBe(false);
    act(() => card.dispose());
    act(() => {
      card = new CardWidget({ model, words, ask });
      Widget.attach(card, document.body);
    });
    expect(area().value).toBe('Mine');
    expect(text()).toContain('not saved');
    type('Description', 'Run 7');
    expect(leave()).toBe(true);
  });

  it('cannot be written where the site does not allow it', () => {
    know({ state: limited({ describe: 'Not from here.' }) });
    expect(area().readOnly).toBe(true);
    expect(reason(area())).toContain('Not from here.');
  });
});

describe('the focus', () => {
  const held = (...ids: string[]): IState =>
    stateOf({
      holds: ids.map(id => ({
        ...{ id, until: NOON + 5 * HOUR, created_at: NOON, reason: id, then: 'restore' },
        owner: { kind: 'kernel' }
      }))
    });

  /** The name of the button that ends a hold. */
  const end = (id: string): string => {
    const names = all('button').map(node => node.getAttribute('aria-label') ?? '');
    return names.find(name => name.startsWith('End') && name.endsWith(`: ${id}`)) ?? '';
  };

  it('goes to what stands before when what was pressed goes away', async () => {
    know({ state: held('a', 'b') });
    for (const [id, before] of [
      ['b', end('a')],
      ['a', 'Extend']
    ] as const) {
      model.endHold.mockImplementationOnce(() => {
        model.know({ state: held(...['a', 'b'].filter(other => other < id)) });
        return Promise.resolve(DONE);
      });
      button(end(id)).focus();
      await press(end(id));
      expect(document.activeElement).toBe(button(before));
      expect(said()).toBe('Done.');
    }
  });

  it('goes back to the description from what saves or drops what was written', async () => {
    for (const name of ['Save', 'Discard']) {
      type('Description', 'Mine');
      button(name).focus();
      await press(name);
      expect(document.activeElement).toBe(field('Description'));
    }
  });

  it('goes to the switch when auto-stop is turned on by one of the lengths below', async () => {
    know({ state: stateOf({ deadline: null, auto_stop: OFF }) });
    await press('Auto-stop');
    button('4 h').focus();
    await press('4 h');
    expect(document.activeElement).toBe(button('Auto-stop'));
  });

  it('is not taken from elsewhere', async () => {
    know({ state: held('a') });
    button(end('a')).focus();
    model.endHold.mockImplementationOnce(() => {
      field('Description').focus();
      model.know({ state: held() });
      return Promise.resolve(DONE);
    });
    await press(end('a'));
    expect(document.activeElement).toBe(field('Description'));
  });

  it('is left on what waits for an answer', () => {
    model.change.mockReturnValue(new Promise(() => undefined));
    const check = all<HTMLInputElement>('input[type="checkbox"]')[0];
    check?.focus();
    act(() => check?.click());
    expect(check?.disabled).toBe(false);
    expect(document.activeElement).toBe(check);
  });
});

describe('the rest', () => {
  it('lists what keeps the instance running, each with an end', async () => {
    const hold = { until: NOON + 5 * HOUR, created_at: NOON };
    know({
      state: stateOf({
        holds: [
          { ...hold, id: 'a', then: 'restore', reason: 'train', owner: { kind: 'kernel' } },
          { ...hold, id: 'b', then: 'stop', reason: '', owner: { kind: 'command' } }
        ]
      })
    });
    expect(text()).toContain('Kept running by a kernel until today at 17:00: train');
    expect(text()).toContain('Kept running by a command until today at 17:00 · then it stops');
    know({
      state: stateOf({
        holds: [
          { ...hold, id: 'a', then: 'restore', reason: 'train', owner: { kind: 'kernel' } },
          { ...hold, id: 'extension', then: 'stop', reason: '', owner: { kind: 'person' } }
        ]
      })
    });
    expect(text()).toContain('Extended until today at 17:00 · then it stops');
    expect(text()).not.toContain('by a person');
    model.result = refusedWith('Gone already.');
    await press('End: Kept running by a kernel until today at 17:00: train');
    expect(model.endHold).toHaveBeenCalledWith('a');
    expect(said()).toBe('Gone already. Try later.');
    expect(ask).not.toHaveBeenCalled();
  });

  it('asks before a hold ends only where that may bring the stop nearer', async () => {
    const one = { created_at: NOON, then: 'restore', reason: '', owner: { kind: 'person' } } as const;
    const [short, long] = [
      { ...one, id: 'short', until: NOON + HOUR },
      { ...one, id: 'extension', until: NOON + 5 * HOUR }
    ];
    const kept = (kept_by: 'server' | 'platform', ...holds: (typeof short)[]): void =>
      know({ state: stateOf({ holds, deadline: { stop_timestamp: NOON + 5 * HOUR, kept_by } }) });
    kept('server', short, long);
    await press('End: Kept running by hand until today at 13:00');
    expect(ask).not.toHaveBeenCalled();
    expect(model.endHold).toHaveBeenLastCalledWith('short');
    ask.mockResolvedValueOnce(false);
    await press('End: Extended until today at 17:00');
    expect(ask).toHaveBeenCalledWith(
      'End it now?',
      'Extended until today at 17:00. The instance then stops today at 14:13 instead of today at 17:00.',
      'End',
      true
    );
    expect(model.endHold).toHaveBeenCalledTimes(1);
    await press('End: Extended until today at 17:00');
    expect(model.endHold).toHaveBeenLastCalledWith('extension');
    // Two that last as long: one of them still does. And what ModelArts allows anyway, no end takes away.
    kept('server', long, { ...long, id: 'other' });
    await press('End: Extended until today at 17:00');
    kept('platform', long);
    await press('End: Extended until today at 17:00');
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('stops only after a question', async () => {
    ask.mockResolvedValueOnce(false);
    await press('Stop now');
    expect(model.stop).not.toHaveBeenCalled();
    await press('Stop now');
    expect(model.stop).toHaveBeenCalledTimes(1);
  });

  it('looks again on a click', async () => {
    await press('Refresh');
    expect(model.refresh).toHaveBeenCalledWith(true);
    expect(said()).toBe('Confirmed just now.');
  });

  it('reads the journal when it is opened, and not before', async () => {
    const details = all<HTMLDetailsElement>('details')[0];
    expect(model.journal).not.toHaveBeenCalled();
    const entry: IJournalEntry = { at: NOON, who: 'browser', what: 'extend by 1 h', result: 'It moved.' };
    model.journal.mockResolvedValue([entry]);
    await act(async () => {
      if (details) {
        details.open = true;
        details.dispatchEvent(new Event('toggle'));
      }
      await Promise.resolve();
    });
    expect(text()).toContain('today at 12:00 browser: extend by 1 h. It moved.');
    model.journal.mockRejectedValue({ kind: 'lost', message: 'No answer.' });
    know({ state: stateOf() });
    await act(() => Promise.resolve());
    expect(said()).toBe('No answer.');
  });

  it('says once why nothing can be asked for, and every control knows it', async () => {
    know({ link: LOST });
    expect(text().split(LOST.message)).toHaveLength(2);
    for (const name of ['Extend 1 h', 'Auto-stop', 'Stop now']) {
      expect(isOff(name)).toBe(true);
      expect(reason(button(name))).toBe(LOST.message);
      await press(name);
    }
    expect(reason(field('By how long'))).toBe(LOST.message);
    expect(model.extendBy).not.toHaveBeenCalled();
    expect(ask).not.toHaveBeenCalled();
    know({ link: { ...LOST, kind: 'failed' } });
    expect(isOff('Extend 1 h')).toBe(false);
  });

  it('says once of a stopped instance that it does not run, and how to start it again', () => {
    const sentence = 'The instance is not running.';
    know({
      state: limited(
        { extend: sentence, stop: sentence },
        { instance: { id: 'DE-1', status: 'STOPPED' }, deadline: null }
      )
    });
    expect(text().split(sentence)).toHaveLength(2);
    for (const name of ['Extend 1 h', 'Stop now']) {
      expect(isOff(name)).toBe(true);
      expect(reason(button(name))).toBe(sentence);
    }
    expect(text()).toContain('Start it again in the ModelArts console; /home/ma-user/work is kept.');
    know({ state: limited({ stop: 'Not from here.' }) });
    expect(reason(button('Stop now'))).toBe('Not from here.');
  });

  it('keeps Enter and undoing in its fields to itself, and leaves the page its other keys', () => {
    const heard: string[] = [];
    const hear = (event: KeyboardEvent): void => void heard.push(event.key);
    document.addEventListener('keydown', hear);
    const press = (node: HTMLElement, key: string): boolean =>
      node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    for (const label of ['By how long', 'Run length', 'Description']) {
      ['Enter', 'Shift', 'Control', 'z', 'Z', 'y', 's'].forEach(key => press(field(label), key));
    }
    expect(heard).toEqual(['s', 's', 's']);
    press(button('Refresh'), 'Enter');
    expect(heard).toHaveLength(4);
    document.removeEventListener('keydown', hear);
  });

  it('has the server looked at when somebody looks at it', () => {
    card.node.dispatchEvent(new window.Event('pointerenter'));
    expect(model.look).toHaveBeenCalledTimes(1);
  });

  it('offers nothing where no instance is known', () => {
    know({ state: troubled('not_configured') });
    expect(all('button').map(node => node.textContent)).toEqual(['Refresh']);
    know({ state: null, link: LOST });
    expect(all('button').map(node => node.textContent)).toEqual(['Refresh']);
  });

  it('lets go of the model', () => {
    const situation = jest.spyOn(model, 'situation');
    act(() => card.dispose());
    situation.mockClear();
    model.changed.emit();
    expect(situation).not.toHaveBeenCalled();
  });
});

test('a picture tells the state and has nothing to press', () => {
  act(() => card.dispose());
  act(() => {
    card = new CardWidget({ model, words, ask, hint: 'Trust this notebook to use the controls.' }, Picture);
    Widget.attach(card, document.body);
  });
  expect(text()).toContain('2 h 13 min');
  expect(text()).toContain('Stops today at 14:13.');
  expect(text()).toContain('Trust this notebook to use the controls.');
  expect(all('button, input, textarea, select, a, [tabindex]')).toEqual([]);
});

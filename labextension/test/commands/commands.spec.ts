import { CommandRegistry } from '@lumino/commands';

import { COMMANDS, commandId, Commands } from '../../src/commands/commands';
import type { Args } from '../../src/commands/confirmations';
import { DONE, FakeModel } from '../fakes';
import { endingIn, HOUR, MINUTE, NOON, stateOf, words } from '../samples';

let model: FakeModel;
let registry: CommandRegistry;
let commands: Commands;
/** What a person is asked and answers; by default nobody agrees to anything. */
const dialogs = {
  ask: jest.fn<Promise<boolean>, [string, string, string, boolean?]>(),
  askText: jest.fn<Promise<string | null>, [string, string, string, string]>(),
  tell: jest.fn<undefined, [string]>(),
  insist: jest.fn<Promise<unknown>, [string, string]>()
};

beforeEach(() => {
  model = new FakeModel();
  registry = new CommandRegistry();
  jest.resetAllMocks();
  dialogs.ask.mockResolvedValue(false);
  dialogs.askText.mockResolvedValue(null);
  dialogs.insist.mockResolvedValue(undefined);
  model.extendUntil.mockResolvedValue(DONE);
  model.change.mockResolvedValue(DONE);
  model.stop.mockResolvedValue(DONE);
  model.refresh.mockResolvedValue();
  commands = new Commands({ commands: registry, model, words, dialogs, showPanel: jest.fn() });
});

const run = (command: (typeof COMMANDS)[number], args: Args = {}): Promise<unknown> =>
  registry.execute(commandId(command), args);

function written(): number {
  return [model.extendBy, model.extendUntil, model.change, model.endHold, model.stop].reduce(
    (count, write) => count + write.mock.calls.length,
    0
  );
}

describe('a command that changes something', () => {
  const all: [(typeof COMMANDS)[number], Args][] = [
    ['extend', {}],
    ['extend', { by: 1800 }],
    ['extend', { until: NOON + 5 * HOUR }],
    ['turn-off', {}],
    ['turn-on', {}],
    ['turn-on', { duration: 7200 }],
    ['describe', { description: 'mine' }],
    ['stop', {}]
  ];

  it.each(all)('asks first and does nothing without a yes: %s %j', async (command, args) => {
    expect(await run(command, args)).toBeNull();
    expect(dialogs.ask).toHaveBeenCalledTimes(1);
    expect(written()).toBe(0);
  });

  it.each(all)('is done once after a yes, and told: %s %j', async (command, args) => {
    dialogs.ask.mockResolvedValue(true);
    expect(await run(command, args)).toBe(DONE);
    expect(written()).toBe(1);
    expect(dialogs.tell).toHaveBeenCalledWith('Done.');
  });

  it('says in the dialog what the arguments mean', async () => {
    await run('extend', { by: 5400 });
    expect(dialogs.ask).toHaveBeenLastCalledWith(
      'Extend this run?',
      'The instance then stops Monday, November 23 at 15:43 UTC instead of Monday, November 23 at 14:13 UTC, 1 h 30 min later.',
      'Extend',
      false
    );
    await run('turn-on', { duration: 7200 });
    expect(dialogs.ask.mock.lastCall?.[1]).toContain('after running for 2 h');
    const evil = '<img src=x onerror=alert(1)>';
    model.know({ state: stateOf({ limits: { ...stateOf().limits, description_forbidden: '' } }) });
    await run('describe', { description: evil });
    expect(dialogs.ask.mock.lastCall?.[1]).toBe(`It is then: “${evil}”`);
    await run('turn-off');
    expect(dialogs.ask.mock.lastCall?.[3]).toBe(true);
  });

  it('says that a wish is cut to the limit before it is made', async () => {
    await run('extend', { by: 30 * 3600 });
    expect(dialogs.ask.mock.lastCall?.[1]).toMatch(
      /^Asked for 30 h more; this is the limit. .*21 h 47 min later/
    );
  });

  it('sends what was shown in the dialog, by the version that was shown', async () => {
    dialogs.ask.mockImplementation(() => {
      model.know({ state: endingIn(9 * HOUR, { version: 'a9.b9' }) });
      return Promise.resolve(true);
    });
    await run('extend', { by: 3600 });
    expect(model.extendUntil).toHaveBeenCalledWith(NOON + 193 * MINUTE);
    model.know({ state: stateOf() });
    await run('turn-off');
    expect(model.change).toHaveBeenLastCalledWith({ auto_stop: { enable: false } }, 'a1.b1');
  });

  it('asks one question at a time', async () => {
    let answer: (yes: boolean) => void = () => undefined;
    dialogs.ask.mockReturnValueOnce(new Promise(resolve => (answer = resolve)));
    const first = run('extend');
    expect(await run('stop')).toBeNull();
    expect(await run('describe')).toBeNull();
    expect(dialogs.ask).toHaveBeenCalledTimes(1);
    expect(dialogs.askText).not.toHaveBeenCalled();
    answer(false);
    await first;
    await run('stop');
    expect(dialogs.ask).toHaveBeenCalledTimes(2);
  });

  it('asks the next question while what was wanted is still being done', async () => {
    let answered: (result: typeof DONE) => void = () => undefined;
    dialogs.ask.mockResolvedValueOnce(true);
    model.change.mockReturnValueOnce(new Promise(resolve => (answered = resolve)));
    const first = run('turn-off');
    while (written() === 0) {
      await Promise.resolve();
    }
    await run('describe');
    expect(dialogs.askText).toHaveBeenCalledTimes(1);
    answered(DONE);
    expect(await first).toBe(DONE);
  });

  it.each<[(typeof COMMANDS)[number], Args, string]>([
    ['extend', { by: 3600, until: NOON + HOUR }, 'not both'],
    ['extend', { by: '1h' }, 'whole number of seconds'],
    ['extend', { by: 0 }, 'whole number of seconds'],
    ['extend', { by: -5 }, 'whole number of seconds'],
    ['extend', { by: 1.5 }, 'whole number of seconds'],
    ['extend', { until: NOON - 1 }, 'a time to come'],
    ['extend', { until: 'tomorrow' }, 'a time to come'],
    ['extend', { until: NOON + MINUTE }, 'extending never shortens'],
    ['turn-on', { duration: 3599 }, 'from 1 h to 24 h'],
    ['turn-on', { duration: 'x' }, 'from 1 h to 24 h'],
    ['describe', { description: 5 }, 'must be a text'],
    ['describe', { description: 'a/b' }, 'must not contain /'],
    ['describe', { description: 'x'.repeat(513) }, '513 characters; the limit is 512']
  ])('refuses what makes no sense in a sentence: %s %j', async (command, args, sentence) => {
    expect(await run(command, args)).toBeNull();
    expect(dialogs.ask).not.toHaveBeenCalled();
    expect(written()).toBe(0);
    expect(dialogs.insist.mock.lastCall?.[1]).toContain(sentence);
  });

  it.each<[(typeof COMMANDS)[number], string]>([
    ['extend', 'extend'],
    ['turn-off', 'disable'],
    ['describe', 'describe'],
    ['stop', 'stop']
  ])(
    'is off where it cannot work, and says why when it is called all the same: %s',
    async (command, what) => {
      const limits = { ...stateOf().limits, can_extend: false, can_disable: false, can_stop: false };
      expect(registry.isEnabled(commandId(command))).toBe(true);
      model.know({ state: stateOf({ limits: { ...limits, why_not: { [what]: 'Because.' } } }) });
      expect(registry.isEnabled(commandId(command))).toBe(false);
      await run(command);
      expect(dialogs.insist.mock.lastCall?.[1]).toBe('Because.');
      expect(dialogs.ask).not.toHaveBeenCalled();
      expect(dialogs.askText).not.toHaveBeenCalled();
    }
  );

  it('does nothing while nothing is known', async () => {
    model.know({ state: null, link: { kind: 'lost', message: 'No connection.', hint: null } });
    for (const command of ['extend', 'turn-off', 'turn-on', 'describe', 'stop'] as const) {
      expect(registry.isEnabled(commandId(command))).toBe(false);
      await run(command);
      expect(dialogs.insist.mock.lastCall?.[1]).toBe('No connection.');
    }
    expect(written()).toBe(0);
  });

  it('tells a refusal, and what came out otherwise than asked, until it is read', async () => {
    dialogs.ask.mockResolvedValue(true);
    model.stop.mockResolvedValue({
      outcome: null,
      refusal: { code: 'x', message: 'It is not running.', hint: 'Start it.', conflict: null }
    });
    await run('stop');
    expect(dialogs.insist.mock.lastCall?.[1]).toBe('It is not running. Start it.');
    const outcome = { effect: 'next_start', message: 'From the next start.', clamped: false } as const;
    model.extendUntil.mockResolvedValue({ outcome, refusal: null });
    await run('extend');
    expect(dialogs.insist.mock.lastCall?.[1]).toBe('From the next start.');
    expect(dialogs.tell).not.toHaveBeenCalled();
  });

  it('tells the new stop time', async () => {
    dialogs.ask.mockResolvedValue(true);
    model.extendUntil.mockImplementation(() => {
      model.know({ state: endingIn(193 * MINUTE) });
      return Promise.resolve(DONE);
    });
    await run('extend');
    expect(dialogs.tell).toHaveBeenCalledWith('Now stops Monday, November 23 at 15:13 UTC. Done.');
  });
});

describe('a description without one', () => {
  it('is typed until it is one, and nothing that was typed is lost', async () => {
    model.know({ state: stateOf({ instance: { id: 'DE-1', status: 'RUNNING', description: 'old' } }) });
    dialogs.askText.mockResolvedValueOnce('a/b').mockResolvedValueOnce('a b');
    await run('describe');
    expect(dialogs.askText.mock.calls.map(([, label, text]) => [label, text])).toEqual([
      ['', 'old'],
      ['The description must not contain /', 'a/b']
    ]);
    expect(model.change.mock.calls).toEqual([[{ description: 'a b' }, 'a1.b1']]);
  });

  it('is left alone when the dialog is closed', async () => {
    await run('describe');
    expect(written()).toBe(0);
  });
});

describe('the commands', () => {
  it('say what arguments they take', async () => {
    for (const command of COMMANDS) {
      const { args } = await registry.describedBy(commandId(command));
      expect(args).toMatchObject({ type: 'object' });
    }
    expect(Object.keys((await registry.describedBy(commandId('extend'))).args?.properties ?? {})).toEqual([
      'by',
      'until'
    ]);
  });

  it('name the amount in the label', () => {
    expect(registry.label(commandId('extend'), { by: 14400 })).toBe('Extend by 4 h…');
    expect(registry.label(commandId('extend'), { by: 'x' })).toBe('Extend by 1 h…');
  });

  it('turn auto-stop on only where it is off', () => {
    expect(registry.isEnabled(commandId('turn-on'))).toBe(false);
    const auto_stop = {
      enable: false,
      duration: null,
      prompt: null,
      stop_timestamp: null,
      remain_time: null
    };
    model.know({ state: stateOf({ deadline: null, auto_stop }) });
    expect(registry.isEnabled(commandId('turn-on'))).toBe(true);
    expect(registry.isEnabled(commandId('turn-off'))).toBe(false);
    // What this server stops is on, as the card's switch has it.
    model.know({
      state: stateOf({ deadline: { stop_timestamp: NOON + HOUR, kept_by: 'server' }, auto_stop })
    });
    expect(registry.isEnabled(commandId('turn-on'))).toBe(false);
    expect(registry.isEnabled(commandId('turn-off'))).toBe(true);
    model.know({ state: stateOf({ deadline: null, auto_stop: null }) });
    expect(registry.isEnabled(commandId('turn-on'))).toBe(false);
    expect(registry.isEnabled(commandId('turn-off'))).toBe(false);
  });

  it('say what ends with what they do about auto-stop, and from when a run length counts', async () => {
    const asked = (): string | undefined => dialogs.ask.mock.lastCall?.[1];
    const on = 'The instance then stops by itself after running for 2 h.';
    const from = 'This counts from the start of the run, not from now.';
    const off = 'Nothing will stop the instance by itself: it runs, and bills, until you stop it.';
    await run('turn-on', { duration: 7200 });
    expect(asked()).toBe(`${on} ${from}`);
    await run('turn-off');
    expect(asked()).toBe(off);
    const hold = {
      ...{ id: 'extension', until: NOON + HOUR, created_at: NOON },
      ...({ then: 'stop', reason: '', owner: { kind: 'person' } } as const)
    };
    model.know({ state: stateOf({ holds: [hold] }) });
    await run('turn-on', { duration: 7200 });
    expect(asked()).toBe(`All holds and extensions of this run end. ${on} ${from}`);
    await run('turn-off');
    expect(asked()).toBe(`All holds and extensions of this run end. ${off}`);
  });

  it('ask the platform on refresh', async () => {
    await run('refresh');
    expect(model.refresh).toHaveBeenCalledWith(true);
  });

  it('are gone when disposed', () => {
    commands.dispose();
    expect(commands.isDisposed).toBe(true);
    expect(registry.listCommands()).toEqual([]);
  });
});

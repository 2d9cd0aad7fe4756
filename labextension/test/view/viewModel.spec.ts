import type { IState } from '../../src/api/types';
import { classify, phaseOf } from '../../src/format/problems';
import type { ILinkProblem } from '../../src/tokens';
import { iconOf } from '../../src/view/icons';
import type { IView } from '../../src/view/viewModel';
import { describe as describeSituation } from '../../src/view/viewModel';
import { endingIn, HOUR, MINUTE, NOON, OFF, situationOf, stateOf, troubled, words } from '../samples';

const LOST: ILinkProblem = { kind: 'lost', message: 'No answer.', hint: 'It is tried again.' };

function viewOf(state: IState | null, now = NOON, link: ILinkProblem | null = null): IView {
  return describeSituation(situationOf({ state, now, link }), words);
}

function link(kind: ILinkProblem['kind']): ILinkProblem {
  return { kind, message: `The link is ${kind}.`, hint: '' };
}

describe('a running instance', () => {
  it('shows the time left and, on hover, the moment with weekday and zone and who keeps it', () => {
    const view = viewOf(stateOf());
    expect(view).toMatchObject({ kind: 'running', level: 'normal', text: '2 h 13 min', note: '', badge: '' });
    expect(view.title).toMatch(/^Stops Monday, November 23 at 14:13 UTC\.\nKept by ModelArts\./);
    expect(view.title).toContain('Confirmed just now.');
    expect(view.title).toContain('Instance: tuning, RUNNING.');
    expect(view.label).toBe('The instance stops in 2 h 13 min');
  });

  it('names the moment of the last confirmation, whose age grows only where something is wrong', () => {
    const state = stateOf({ confirmed_at: NOON - 4 * MINUTE });
    expect(viewOf(state).title).toContain('Confirmed today at 11:56.');
    expect(viewOf({ ...state, stale: true }).title).toContain('Last confirmed 4 min ago.');
    expect(viewOf(state, NOON, LOST).title).toContain('Last confirmed 4 min ago.');
  });

  it('says when this server keeps the stop time', () => {
    const deadline = { stop_timestamp: NOON + HOUR, kept_by: 'server' as const };
    const view = viewOf(stateOf({ deadline, auto_stop: OFF }));
    expect(view).toMatchObject({ kind: 'held', text: '1 h' });
    expect(view.title).toContain("Kept by this server until today at 13:00; ModelArts' own auto-stop is off");
    expect(view.title).toContain('If this server never comes back, nothing stops the run.');
    expect(view.title).not.toContain('Kept by ModelArts');
    expect(iconOf(view)).not.toBe(iconOf(viewOf(stateOf())));
  });

  it('says what stays on at the platform where this server stops the run before it', () => {
    const { title } = viewOf(stateOf({ deadline: { stop_timestamp: NOON + HOUR, kept_by: 'server' } }));
    expect(title).toContain("Kept by this server until today at 13:00; ModelArts' own auto-stop stays on.");
    expect(title).toContain('If this server never comes back, ModelArts stops the run today at 14:13.');
    expect(title).not.toContain('nothing stops the run');
  });

  it.each([
    [30 * MINUTE + 1000, 'normal', '30 min'],
    [30 * MINUTE, 'warning', '30 min'],
    [5 * MINUTE + 999, 'urgent', '5:00'],
    [999, 'urgent', '0:00']
  ])('with %d ms left is %s', (left, level, text) => {
    expect(viewOf(endingIn(left))).toMatchObject({ kind: 'running', level, text });
  });

  it('tells the last minutes apart by more than colour', () => {
    expect(iconOf(viewOf(endingIn(HOUR)))).toBe('clock');
    expect(iconOf(viewOf(endingIn(10 * MINUTE)))).toBe('bell');
  });

  it('says what differs from the next start on', () => {
    const title = viewOf(stateOf({ next_start: { enable: true, duration: 7200 } })).title;
    expect(title).toContain('From the next start: auto-stop after 2 h.');
    expect(viewOf(stateOf({ next_start: { enable: false, duration: null } })).title).toContain(
      'From the next start: auto-stop off.'
    );
  });

  it('says how a stopped one is started again', () => {
    expect(viewOf(stateOf({ instance: { id: 'DE-1', status: 'STOPPED' }, deadline: null })).title).toContain(
      'Start it again in the ModelArts console; /home/ma-user/work is kept.'
    );
  });

  it('wears the badge of the emulator in every state, and only then', () => {
    const states = [stateOf(), troubled('no_answer'), endingIn(-MINUTE), stateOf({ deadline: null })];
    for (const state of states) {
      expect(viewOf(state).badge).toBe('');
      expect(viewOf({ ...state, emulated: true }).badge).toBe('emulated');
      expect(viewOf({ ...state, emulated: true }, NOON, LOST).badge).toBe('emulated');
    }
  });
});

describe('names', () => {
  it.each([
    ['tuning', 'Instance: tuning, RUNNING.'],
    ['שלום 7', 'Instance: \u2068שלום 7\u2069, RUNNING.'],
    ['gpj\u202e', 'Instance: \u2068gpj\u202e\u2069, RUNNING.']
  ])('%j turn nothing around them', (name, line) => {
    const state = { ...stateOf(), instance: { id: 'DE-1', status: 'RUNNING', name } };
    expect(viewOf(state).title).toContain(line);
  });
});

describe('a stop time that nobody confirms any more', () => {
  const stale = stateOf({
    stale: true,
    confirmed_at: NOON - 6 * MINUTE - 5000,
    problem: { code: 'no_answer', message: 'ModelArts does not answer.', hint: 'It is asked again.' }
  });

  it('keeps counting, marked with when it was confirmed', () => {
    const view = viewOf(stale);
    expect(view).toMatchObject({ kind: 'stale', text: '2 h 13 min', note: 'last confirmed 6 min ago' });
    expect(view.title).toContain('Last confirmed 6 min ago.');
    expect(view.title).toContain('ModelArts does not answer.\nIt is asked again.');
  });

  it('says what there is to act on, where there is something', () => {
    const refused = { code: 'APIGW.0301', message: 'Refused.', hint: '' };
    expect(viewOf({ ...stale, problem: refused }).note).toBe('credentials refused');
    expect(viewOf({ ...stale, problem: { ...refused, code: 'no_credentials' } }).note).toBe('no credentials');
  });

  it('is unknown once it has passed: not negative, not zero for ever', () => {
    for (const past of [0, 1, 60, 86_400]) {
      const view = viewOf(endingIn(0), NOON + past * 1000);
      expect(view).toMatchObject({ kind: 'overdue', text: 'Stop time passed', level: 'warning' });
      expect(view.title).toContain('nothing yet says that the instance is stopping');
      expect(view.title).not.toMatch(/Stops |Kept by/);
    }
  });
});

describe('no stop time', () => {
  it('is "off", with what that costs, only where the platform said so', () => {
    const auto_stop = {
      enable: false,
      duration: 3600,
      prompt: true,
      stop_timestamp: null,
      remain_time: null
    };
    const view = viewOf(stateOf({ deadline: null, auto_stop }));
    expect(view).toMatchObject({ kind: 'off', text: 'Auto-stop off', note: '' });
    expect(view.title).toContain('runs, and bills, until you stop it');
  });

  it('is off for this run when it is set for the next start only', () => {
    const view = viewOf(stateOf({ deadline: null, next_start: { enable: true, duration: 3600 } }));
    expect(view).toMatchObject({ kind: 'next-start', text: 'Auto-stop off', note: 'on from the next start' });
    expect(view.title).toContain('bills');
  });

  it('is an idle rule when auto-stop is on all the same', () => {
    expect(viewOf(stateOf({ deadline: null }))).toMatchObject({
      kind: 'idle-rule',
      text: 'No fixed stop time'
    });
  });

  it('is unknown, not off, where nothing was ever heard', () => {
    const view = viewOf(stateOf({ deadline: null, auto_stop: null, instance: null }));
    expect(view).toMatchObject({ kind: 'unknown', text: 'Stop time unknown' });
  });

  it.each([
    ['not_asked', 'waiting'],
    ['not_configured', 'unconfigured'],
    ['configuration_invalid', 'unconfigured'],
    ['no_credentials', 'no-credentials'],
    ['credentials_refused', 'refused'],
    ['APIGW.0301', 'refused'],
    ['APIG.0307', 'refused'],
    ['ModelArts.6620', 'refused'],
    ['permission_refused', 'denied'],
    ['APIGW.0302', 'denied'],
    ['ModelArts.6407', 'denied'],
    ['ModelArts.0108', 'denied'],
    ['not_found', 'not-found'],
    ['ModelArts.6309', 'not-found'],
    ['ModelArts.6326', 'frozen'],
    ['overdue', 'overdue'],
    ['no_stop_time', 'no-stop-time'],
    ['idle_rule', 'idle-rule'],
    ['no_auto_stop', 'no-stop-time'],
    ['not_yet_supported', 'unsupported'],
    ['no_answer', 'unknown'],
    ['throttled', 'unknown'],
    ['constructor', 'unknown'],
    ['APIGW.6309', 'unknown'],
    ['Something.New', 'unknown']
  ])('because of %s is %s, with the words of the server', (code, kind) => {
    const view = viewOf(troubled(code));
    expect(view.kind).toBe(kind);
    expect(view.text).not.toBe('');
    expect(view.text).not.toMatch(/[0-9]/);
    expect(view.title).toContain(`It is ${code}.\nDo something about it.`);
    expect(view.title).not.toMatch(/Auto-stop is off|Stops /);
  });
});

describe('an instance that does not run', () => {
  it.each([
    ['STARTING', 'starting'],
    ['CREATE_QUEUING', 'starting'],
    ['STOPPING', 'stopping'],
    ['STOPPED', 'stopped'],
    ['RESIZING', 'resizing'],
    ['FROZEN', 'frozen'],
    ['UNAVAILABLE', 'broken'],
    ['DELETED', 'deleted']
  ])('with the status %s is %s, whatever the stop time was', (status, kind) => {
    for (const state of [stateOf(), stateOf({ deadline: null }), endingIn(-HOUR)]) {
      const view = viewOf({ ...state, instance: { id: 'DE-1', status } });
      expect(view.kind).toBe(kind);
      expect(view.text).toMatch(/^Instance/);
      expect(view.title).toContain(status);
      expect(view.title).not.toMatch(/Stops |bills/);
    }
  });

  it('with an unknown status hides no stop time', () => {
    expect(phaseOf('SOMETHING_NEW')).toBe('running');
    expect(phaseOf('toString')).toBe('running');
    expect(viewOf(stateOf({ instance: { id: 'DE-1', status: 'SOMETHING_NEW' } })).text).toBe('2 h 13 min');
  });
});

describe('the link to the Jupyter server', () => {
  it('before the first answer invents nothing', () => {
    const view = viewOf(null);
    expect(view).toMatchObject({ kind: 'waiting', level: 'normal', badge: '' });
    expect(view.text).not.toMatch(/[0-9]/);
    expect(view.title).not.toBe('');
  });

  it.each(['lost', 'logged_out', 'forbidden', 'missing', 'failed'] as const)('that is %s says so', kind => {
    const view = viewOf(null, NOON, link(kind));
    expect(view.kind).toBe(kind);
    expect(view.title).toContain(`The link is ${kind}.`);
    expect(viewOf(stateOf(), NOON, link(kind)).note).not.toBe('');
  });

  it('that is lost leaves the last stop time counting', () => {
    const view = viewOf(stateOf(), NOON + 3 * MINUTE, LOST);
    expect(view).toMatchObject({ kind: 'stale', text: '2 h 10 min', note: 'no connection' });
    expect(view.title).toContain('No answer.\nIt is tried again.\nLast confirmed 3 min ago.');
  });

  it('that is lost past the stop time says what may have happened', () => {
    const view = viewOf(endingIn(0), NOON + MINUTE, LOST);
    expect(view).toMatchObject({ kind: 'gone', text: 'Stopped, it seems', note: 'no connection' });
    expect(view.title).toMatch(
      /^The stop time was today at 12:00, and Jupyter went away with it: the instance has stopped, as far as/
    );
    expect(view.title).toContain('/home/ma-user/work are kept');
    expect(view.title).toContain('Start the instance again in the ModelArts console');
    expect(view.title).toContain('Instance, as last seen: tuning, RUNNING.');
  });

  it('that is lost from an emulated instance points to no console', () => {
    const { title } = viewOf(endingIn(0, { emulated: true }), NOON + MINUTE, LOST);
    expect(title).not.toContain('console');
    expect(title).toContain('Start the emulated instance again as its terminal says');
  });

  it('that is lost while the instance was stopping says so without a stop time', () => {
    const instance = { id: 'DE-1', name: 'tuning', description: '', status: 'STOPPING' };
    const view = viewOf(stateOf({ instance, deadline: null }), NOON, LOST);
    expect(view.kind).toBe('gone');
    expect(view.title).toMatch(/^The instance was stopping when Jupyter went away/);
  });

  it.each(['logged_out', 'forbidden', 'missing', 'failed'] as const)(
    'that is %s past the stop time claims no stop',
    kind => {
      expect(viewOf(endingIn(0), NOON + MINUTE, link(kind)).kind).toBe('overdue');
    }
  );
});

describe('classify', () => {
  it('takes a code whole', () => {
    expect(classify('ModelArts.63090')).toBe('unknown');
    expect(classify('xAPIGW.0301')).toBe('unknown');
  });
});

it('every view has a shape, a text and a title', () => {
  const codes = ['not_configured', 'no_credentials', 'APIGW.0302', 'not_found', 'overdue', 'x'];
  for (const state of [null, stateOf(), stateOf({ deadline: null }), ...codes.map(code => troubled(code))]) {
    for (const problem of [null, LOST, link('logged_out')]) {
      const view = viewOf(state, NOON, problem);
      expect(iconOf(view)).toBeTruthy();
      expect(view.text.trim()).not.toBe('');
      expect(view.title.trim()).not.toBe('');
      expect(view.title).not.toMatch(/undefined|null|NaN|%[0-9]/);
      expect(view.label).not.toBe('');
    }
  }
});

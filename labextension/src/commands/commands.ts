import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';

import type { IState } from '../api/types';
import { formatDuration } from '../format/duration';
import { formatMoment } from '../format/moments';
import type { IWords } from '../format/words';
import type { IAutostopModel, IResult } from '../tokens';
import type { IDialogs } from '../widgets/dialogs';
import type { Args, Planned } from './confirmations';
import {
  descriptionFault,
  HOUR,
  isOn,
  planDescribe,
  planExtend,
  planOff,
  planOn,
  planStop
} from './confirmations';

/** Every command, without the part of the name that all share. */
export const COMMANDS = [
  'extend',
  'turn-off',
  'turn-on',
  'describe',
  'stop',
  'refresh',
  'show-panel'
] as const;
export type Command = (typeof COMMANDS)[number];

/** What is done once it is wanted. */
type Run = () => Promise<IResult>;

export function commandId(command: Command): string {
  return `jupyter-autostop:${command}`;
}

export interface ICommandsOptions {
  commands: CommandRegistry;
  model: IAutostopModel;
  words: IWords;
  dialogs: IDialogs;
  /** Show the side panel. */
  showPanel: () => void;
}

/**
 * The commands. What changes something asks first, always: a link in a notebook's output can trigger
 * any command with any arguments, so what they mean is said before anything is done.
 */
export class Commands implements IDisposable {
  constructor(options: ICommandsOptions) {
    this._options = options;
    const { model, words } = options;
    const { trans } = words;
    const able = (test: (state: IState) => boolean) => () => model.state !== null && test(model.state);
    const change = (
      command: Command,
      label: string | ((args: Args) => string),
      plan: (args: Args, model: IAutostopModel, words: IWords) => Planned,
      isEnabled: () => boolean,
      properties: { [name: string]: { type: string; description: string } }
    ) =>
      this._add(command, {
        label,
        isEnabled,
        execute: args => this._ask(() => plan(args, model, words)),
        ...describedBy(properties)
      });
    change(
      'extend',
      ({ by }) => trans.__('Extend by %1…', formatDuration(typeof by === 'number' ? by : HOUR)),
      planExtend,
      able(({ limits }) => limits.can_extend),
      {
        by: { type: 'integer', description: trans.__('Seconds more than the shown stop time gives') },
        until: { type: 'integer', description: trans.__('The new stop time, in ms since 1970') }
      }
    );
    change(
      'turn-off',
      trans.__('Turn Auto-Stop Off…'),
      planOff,
      able(state => state.limits.can_disable && isOn(state)),
      {}
    );
    change(
      'turn-on',
      trans.__('Turn Auto-Stop On…'),
      planOn,
      able(state => !!state.auto_stop && !isOn(state)),
      {
        duration: { type: 'integer', description: trans.__('Seconds that the instance runs from each start') }
      }
    );
    this._add('describe', {
      label: trans.__('Change Description…'),
      isEnabled: able(({ instance, limits }) => instance !== null && !limits.why_not.describe),
      execute: args =>
        args.description === undefined ? this._describe() : this._ask(() => planDescribe(args, model, words)),
      ...describedBy({ description: { type: 'string', description: trans.__('The new description') } })
    });
    change(
      'stop',
      trans.__('Stop Instance Now…'),
      planStop,
      able(({ limits }) => limits.can_stop),
      {}
    );
    this._add('refresh', {
      label: trans.__('Refresh Auto-Stop'),
      execute: () => model.refresh(true),
      ...describedBy({})
    });
    this._add('show-panel', {
      label: trans.__('Show Auto-Stop Panel'),
      execute: options.showPanel,
      ...describedBy({})
    });
    model.changed.connect(this._onChanged, this);
  }

  get isDisposed(): boolean {
    return this._added.length === 0;
  }

  dispose(): void {
    this._options.model.changed.disconnect(this._onChanged, this);
    this._added.splice(0).forEach(added => added.dispose());
  }

  private _add(command: Command, options: CommandRegistry.ICommandOptions): void {
    this._added.push(this._options.commands.addCommand(commandId(command), options));
  }

  private _onChanged(): void {
    this._options.commands.notifyCommandChanged();
  }

  /** Say what would happen, do it if that is wanted, and tell what came of it; null: nothing was done. */
  private async _ask(plan: () => Planned): Promise<IResult | null> {
    const { dialogs, words } = this._options;
    const run = await this._alone(async () => {
      const planned = plan();
      if (typeof planned === 'string') {
        await dialogs.insist(words.trans.__('Auto-Stop'), planned);
        return null;
      }
      const { title, body, accept, grave, run } = planned;
      return (await dialogs.ask(title, body, accept, grave)) ? run : null;
    });
    return run && this._do(run);
  }

  /**
   * One question at a time: a page full of them would be answered without being read.
   *
   * What was wanted is done afterwards, so that the next question need not wait for the platform.
   */
  private async _alone(question: () => Promise<Run | null>): Promise<Run | null> {
    if (this._asking) {
      return null;
    }
    this._asking = true;
    try {
      return await question();
    } finally {
      this._asking = false;
    }
  }

  /** Have a description typed until it is one; what was typed is never lost. */
  private async _describe(): Promise<IResult | null> {
    const { dialogs, model, words } = this._options;
    const { state } = model;
    if (!state || state.limits.why_not.describe) {
      // Says why not.
      return this._ask(() => planDescribe({ description: '' }, model, words));
    }
    const run = await this._alone(async () => {
      const { trans } = words;
      let text: string | null = state.instance?.description ?? '';
      let fault = '';
      do {
        text = await dialogs.askText(
          trans.__('Description of the instance'),
          fault,
          text,
          trans.__('Change')
        );
        fault = text === null ? '' : descriptionFault(text, state, words);
      } while (fault && text !== null);
      const description = text;
      return description === null ? null : () => model.change({ description }, state.version);
    });
    return run && this._do(run);
  }

  private async _do(run: Run): Promise<IResult> {
    const { dialogs, model, words } = this._options;
    const { trans, locale } = words;
    const before = model.state?.deadline?.stop_timestamp;
    const result = await run();
    const { outcome, refusal } = result;
    if (refusal) {
      await dialogs.insist(trans.__('Auto-Stop'), sentences(refusal.message, refusal.hint));
    } else if (outcome?.effect !== 'now') {
      // What came out otherwise than was asked for is not told in passing, nor cut short.
      await dialogs.insist(trans.__('Auto-Stop'), outcome?.message ?? '');
    } else {
      const stop = model.state?.deadline?.stop_timestamp;
      const fact =
        stop === undefined || stop === before ? '' : trans.__('Now stops %1.', formatMoment(stop, locale));
      dialogs.tell(sentences(fact, outcome.message));
    }
    return result;
  }

  private readonly _options: ICommandsOptions;
  private readonly _added: IDisposable[] = [];
  private _asking = false;
}

function sentences(...given: (string | null | undefined)[]): string {
  return given.filter(sentence => sentence).join(' ');
}

/** The arguments as a schema; JupyterLab 4.0 knows no such thing and passes over it. */
function describedBy(properties: object): Pick<CommandRegistry.ICommandOptions, 'describedBy'> {
  return { describedBy: { args: { type: 'object', properties: properties as never } } };
}

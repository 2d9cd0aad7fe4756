import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useRef, useState } from 'react';

import type { IState } from '../api/types';
import type { Planned } from '../commands/confirmations';
import { dayTime } from '../format/moments';
import { said as inWords } from '../format/problems';
import type { IWords } from '../format/words';
import type { IAutostopModel, IResult, ISituation } from '../tokens';

/** Asks whether something is meant; `grave` where Enter alone must not do it. */
export type Ask = (title: string, body: string, accept: string, grave?: boolean) => Promise<boolean>;

/** Asks nobody: what is pressed says it all. */
export const yes: Ask = () => Promise.resolve(true);

/** What every part of the card is given; nothing of it is kept beyond a rendering but the model. */
export interface IPart {
  model: IAutostopModel;
  words: IWords;
  situation: ISituation;
  state: IState;
  /** Why nothing can be asked for at all, which the card says once, in a text with this id; mostly empty. */
  blocked: string;
  blockedBy: string;
  ask: Ask;
}

/** The id of the text that says why the run cannot be extended, which may hold for its end as well. */
export function reasonOf(blockedBy: string): string {
  return `${blockedBy}-extend`;
}

/** Render again when something has changed: of a model, more than the passing of time. */
export function useChanges<T>({ changed }: { readonly changed: ISignal<T, void> }): void {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const follow = (): void => again();
    changed.connect(follow);
    // Something may have changed between the rendering and this.
    again();
    return () => {
      changed.disconnect(follow);
    };
  }, [changed]);
}

/** A control's writes: whether one is under way, and what came of the last. */
export interface IWrite {
  busy: boolean;
  said: string;
  say(text: string): void;
  /** Follow a write to its end; `fact` takes the place of the server's sentence. */
  run(write: Promise<IResult>, fact?: (result: IResult) => string): Promise<IResult>;
  /** Ask, and then do; or say why it cannot be done. Null: nothing was done. */
  plan(planned: Planned, ask: Ask): Promise<IResult | null>;
}

/** The control that has the focus, and those before it, the nearest first. */
function focused(): HTMLElement[] {
  const all = [...document.querySelectorAll<HTMLElement>('.jp-AutostopCard :is(button, input, textarea)')];
  return all.slice(0, all.findIndex(one => one === document.activeElement) + 1).reverse();
}

/** @param stays - whether a refusal is still of interest when the State has moved on. */
export function useWrite({ model, words: { trans } }: Pick<IPart, 'model' | 'words'>, stays = true): IWrite {
  const [busy, setBusy] = useState(0);
  // Of what has moved on since, the words would be false: they go with the State that they were said of.
  const about = (): string => `${model.state?.version} ${model.state?.deadline?.stop_timestamp}`;
  const [[text, of], setSaid] = useState<[() => string, string | null]>([() => '', '']);
  const say = (said: string): void => setSaid([() => said, about()]);
  const last = useRef<HTMLElement[]>([]);
  useEffect(() => {
    if (last.current[0]?.isConnected === false) {
      const before = last.current.splice(0).find(control => control.isConnected);
      // From nowhere, where it is now, nobody finds back by keyboard.
      if (document.activeElement === document.body) {
        before?.focus();
      }
    }
  });
  const run: IWrite['run'] = async (write, fact) => {
    const turn = focused();
    last.current = turn;
    setBusy(count => count + 1);
    say('');
    const result = await write;
    setBusy(count => count - 1);
    // What an earlier click came to is no news after a later one.
    if (turn === last.current) {
      // Why something was not done stays until somebody does or types something there again: that the State has moved
      // on may be the reason. Whether it was done, which nobody knew, a later State tells.
      const passing = (result.refusal?.code ?? 'lost') === 'lost';
      setSaid([() => fact?.(result) ?? resultText(result, trans), passing ? about() : null]);
    }
    return result;
  };
  const plan: IWrite['plan'] = async (planned, ask) => {
    if (typeof planned === 'string') {
      say(planned);
    } else if (await ask(planned.title, planned.body, planned.accept, planned.grave)) {
      return run(planned.run());
    }
    return null;
  };
  return { busy: busy > 0, said: of === about() || (of === null && stays) ? text() : '', say, run, plan };
}

/** What came of a write, by the server's word; a refusal with its hint. */
function resultText({ outcome, refusal }: IResult, trans: IWords['trans']): string {
  return refusal
    ? `${inWords(refusal.code, refusal.message, trans)} ${refusal.hint ?? ''}`.trim()
    : (outcome?.message ?? '');
}

/** What came of an extension, with the stop time that holds now. */
export function extensionText(result: IResult, { state, now }: ISituation, words: IWords): string {
  const { trans } = words;
  const stop = state?.deadline?.stop_timestamp;
  const text = resultText(result, trans);
  if (stop === undefined) {
    return text;
  }
  const { effect, clamped } = result.outcome ?? {};
  const day = dayTime(stop, now, words);
  if (effect === 'now' || effect === 'held') {
    return `${trans.__('Now stops %1.', day)} ${effect === 'held' || clamped ? text : ''}`;
  }
  // Whatever else it is, the stop time has not moved as far as anybody knows.
  return `${text} ${trans.__('It still stops %1.', day)}`;
}

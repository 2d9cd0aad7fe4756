import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useRef, useState } from 'react';

import { dayTime } from '../details';
import { said as problemSaid } from '../problems';
import type { IAutostopModel, IRefusal, IResult, ISituation, IState } from '../tokens';
import type { IWords } from '../view';

/** What every part of the card is given; none of it is kept beyond a rendering but the model. */
export interface IPart {
  model: IAutostopModel;
  words: IWords;
  situation: ISituation;
  state: IState;
  /** Why nothing can be asked for at all, which is said once in the card, in a text with this id; mostly empty. */
  blocked: string;
  blockedBy: string;
  /** Asks whether something costly is meant; default: a question within the card. */
  ask?: Ask | undefined;
}

export type Ask = (title: string, body: string, accept: string) => Promise<boolean>;

/** Render again when something has changed: of a model, more than the passing of time. */
export function useChanges<T>(model: { readonly changed: ISignal<T, void> }): void {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const follow = (): void => again();
    model.changed.connect(follow);
    // Something may have changed between the rendering and this.
    again();
    return () => {
      model.changed.disconnect(follow);
    };
  }, [model]);
}

/** A control's writes: whether one is under way, and what came of the last. */
export interface IWrite {
  busy: boolean;
  said: string;
  say(text: string): void;
  /** Follow a write to its end; `fact` says what came of it in the place of the server's sentence. */
  run(write: Promise<IResult>, fact?: (result: IResult) => string): Promise<IResult>;
}

export function useWrite({ trans }: IWords): IWrite {
  const [busy, setBusy] = useState(0);
  const [said, say] = useState('');
  const last = useRef(0);
  return {
    busy: busy > 0,
    said,
    say,
    run: async (write, fact) => {
      last.current += 1;
      const turn = last.current;
      setBusy(count => count + 1);
      say('');
      const result = await write;
      setBusy(count => count - 1);
      // What an earlier click came to is no news after a later one.
      if (turn === last.current) {
        say(fact?.(result) ?? outcomeText(result, trans));
      }
      return result;
    }
  };
}

/** What came of a write, by the server's word; a refusal with its hint. */
export function outcomeText({ outcome, refusal }: IResult, trans: IWords['trans']): string {
  return refusal ? refusalText(refusal, trans) : (outcome?.message ?? '');
}

function refusalText({ code, message, hint }: IRefusal, trans: IWords['trans']): string {
  return `${problemSaid(code, message, trans)} ${hint ?? ''}`.trim();
}

/** What came of an extension, with the stop time that holds now. */
export function extensionText(result: IResult, situation: ISituation, words: IWords): string {
  const { trans } = words;
  const stop = situation.state?.deadline?.stop_timestamp;
  const effect = result.outcome?.effect;
  const text = outcomeText(result, trans);
  if (stop === undefined) {
    return text;
  }
  const day = dayTime(stop, situation.now, words);
  if (effect === 'now' || effect === 'held') {
    const fact = trans.__('Now stops %1.', day);
    return effect === 'held' || result.outcome?.clamped ? `${fact} ${text}` : fact;
  }
  // Whatever else it is, the stop time has not moved as far as anybody knows.
  return `${text} ${trans.__('It still stops %1.', day)}`;
}

import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { IChange, IJournalEntry, IOutcome, IState } from './api/types';
import type { ITicker } from './model/ticker';

/** What stands between this page and the State, when the last request did not bring one. */
export interface ILinkProblem {
  kind:
    | 'lost' // no answer from the Jupyter server itself
    | 'logged_out' // it no longer knows this browser
    | 'forbidden' // it knows the user, who may not look
    | 'missing' // it does not run our server extension
    | 'failed'; // it answered with an error of ours
  message: string;
  hint: string | null;
}

/** What the page knows about the instance, at one moment. */
export interface ISituation {
  /** The last State the server gave; null before the first. */
  state: IState | null;
  /** Set while the last request has not brought a State. */
  link: ILinkProblem | null;
  /** The present moment on the State's clock, in epoch ms. */
  now: number;
  /** When the platform last confirmed the State, in epoch ms; later than in the State where looks confirmed it since. */
  confirmedAt: number | null;
  /** The computer's clock jumped (sleep, or set by hand) and the server has not been heard since. */
  uncertain: boolean;
  /** The write under way; its wish is shown as pending and taken back if it is refused. */
  pending: IPending | null;
}

/** A write under way, shown at once and marked as not yet confirmed. */
export interface IPending {
  what: 'extend' | 'auto_stop' | 'description' | 'hold' | 'stop';
  /** The deadline that an extension is to bring, in epoch ms; null for everything else. */
  until: number | null;
}

/** Why a write did not happen, in sentences to show beside the control that caused it. */
export interface IRefusal {
  code: string;
  message: string;
  hint: string | null;
  /** What holds in place of what was assumed, where somebody else has changed the same part. */
  conflict: IState | null;
}

/** What came of a write: the server's word on it, or why there is none. */
export interface IResult {
  outcome: IOutcome | null;
  refusal: IRefusal | null;
}

/** The one place in a page that knows the State, how it was come by, and what time it is there. */
export interface IAutostopModel extends IDisposable {
  /** Emits when the State has changed in more than the passing of time, or the link to it has. */
  readonly changed: ISignal<IAutostopModel, void>;
  /** The page's one timer; ticks when the seconds left change. */
  readonly ticker: ITicker;
  readonly state: IState | null;
  readonly link: ILinkProblem | null;
  /** What is known right now, for a view to be made of. */
  situation(): ISituation;
  /**
   * Read the State from the server again.
   *
   * @param platform - have the server ask the platform first; for a person's click only.
   */
  refresh(platform?: boolean): Promise<void>;
  /** Somebody looks: read what the server knows, unless that was done a moment ago. */
  readonly look: () => void;
  /**
   * Let this run last longer by so many seconds.
   *
   * Calls within half a second of each other become one request with an absolute time, and resolve alike.
   */
  extendBy(seconds: number): Promise<IResult>;
  /** Let this run last until a moment, in epoch ms on the State's clock. */
  extendUntil(until: number): Promise<IResult>;
  /**
   * Change description or auto-stop.
   *
   * @param version - of the State that the person looked at while deciding; default: the present one.
   */
  change(change: IChange, version?: string): Promise<IResult>;
  /** End a hold before its time. */
  endHold(id: string): Promise<IResult>;
  /** Stop the instance now. */
  stop(): Promise<IResult>;
  /** The last changes made from here, newest first; rejects with what `link` would say. */
  journal(): Promise<IJournalEntry[]>;
}

export const IAutostopModel = new Token<IAutostopModel>(
  'jupyter-autostop:IAutostopModel',
  'The stop time of the instance that this server runs in, and the ways to follow it.'
);

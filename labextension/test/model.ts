import { Signal } from '@lumino/signaling';

import { Ticker } from '../src/ticker';
import type { IAutostopModel, IChange, IJournalEntry, IResult, ISituation } from '../src/tokens';
import { situationOf } from './samples';

export const DONE: IResult = {
  outcome: { effect: 'now', message: 'It is done.', clamped: false },
  refusal: null
};

/** A model of which a test says what it knows, and which keeps what it is asked for. */
export class FakeModel implements IAutostopModel {
  known: ISituation = situationOf();
  /** What was asked for, in order. */
  asked: unknown[][] = [];
  /** What comes of each write. */
  answer: IResult | Promise<IResult> = DONE;
  entries: IJournalEntry[] | Error = [];
  readonly changed = new Signal<this, void>(this);
  readonly ticker = new Ticker(() => null);
  readonly isDisposed = false;
  readonly dispose = (): void => undefined;
  readonly situation = (): ISituation => this.known;

  get state(): ISituation['state'] {
    return this.known.state;
  }

  get link(): ISituation['link'] {
    return this.known.link;
  }

  know(parts: Partial<ISituation>): void {
    this.known = { ...this.known, ...parts };
    this.changed.emit();
  }

  refresh(platform?: boolean): Promise<void> {
    this.asked.push(['refresh', platform]);
    return Promise.resolve();
  }

  extendBy(seconds: number): Promise<IResult> {
    return this._write('extendBy', seconds);
  }

  extendUntil(until: number): Promise<IResult> {
    return this._write('extendUntil', until);
  }

  change(change: IChange, version?: string): Promise<IResult> {
    return this._write('change', change, version);
  }

  endHold(id: string): Promise<IResult> {
    return this._write('endHold', id);
  }

  stop(): Promise<IResult> {
    return this._write('stop');
  }

  journal(): Promise<IJournalEntry[]> {
    this.asked.push(['journal']);
    return this.entries instanceof Error ? Promise.reject(this.entries) : Promise.resolve(this.entries);
  }

  private _write(...what: unknown[]): Promise<IResult> {
    this.asked.push(what);
    return Promise.resolve(this.answer);
  }
}

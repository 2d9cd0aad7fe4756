import { Signal } from '@lumino/signaling';

import type { IChange, IJournalEntry } from '../src/api/types';
import { Ticker } from '../src/model/ticker';
import type { IAutostopModel, IResult, ISituation } from '../src/tokens';
import { situationOf } from './samples';

/** What a write comes to that has worked. */
export const DONE: IResult = {
  outcome: { effect: 'now', message: 'Done.', clamped: false },
  refusal: null
};

/** A model of which a test says what it knows and what comes of writes, and which remembers those. */
export class FakeModel implements IAutostopModel {
  known: ISituation = situationOf();
  result: IResult = DONE;
  readonly changed = new Signal<this, void>(this);
  readonly ticker = new Ticker(() => null);
  readonly isDisposed = false;
  readonly refresh = jest.fn(() => Promise.resolve());
  readonly look = jest.fn();
  readonly extendBy = jest.fn<Promise<IResult>, [number]>(() => Promise.resolve(this.result));
  readonly extendUntil = jest.fn<Promise<IResult>, [number]>(() => Promise.resolve(this.result));
  readonly change = jest.fn<Promise<IResult>, [IChange, string?]>(() => Promise.resolve(this.result));
  readonly endHold = jest.fn<Promise<IResult>, [string]>(() => Promise.resolve(this.result));
  readonly stop = jest.fn(() => Promise.resolve(this.result));
  readonly journal = jest.fn(() => Promise.resolve([] as IJournalEntry[]));
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
}

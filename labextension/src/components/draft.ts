import { Signal } from '@lumino/signaling';

import type { IState } from '../api/types';
import type { IAutostopModel } from '../tokens';

/** A description that is being written and not saved. */
export interface IDraft {
  text: string;
  /** What it was when the writing began. */
  base: string;
  /** The State of that time; after a refusal the one that it brought. */
  seen: IState;
}

/** The one draft of a page: a card that is closed loses nothing, and leaving the page asks. */
class Draft {
  value: IDraft | null = null;
  readonly changed = new Signal<this, void>(this);

  set(value: IDraft | null): void {
    this.value = value;
    window[value ? 'addEventListener' : 'removeEventListener']('beforeunload', askFirst);
    this.changed.emit();
  }
}

const drafts = new WeakMap<IAutostopModel, Draft>();

/** The draft of the instance that a model knows. */
export function draftOf(model: IAutostopModel): Draft {
  const draft = drafts.get(model) ?? new Draft();
  drafts.set(model, draft);
  return draft;
}

function askFirst(event: Event): void {
  event.preventDefault();
}

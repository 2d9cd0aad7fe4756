import { Signal } from '@lumino/signaling';

import type { IAutostopModel, IState } from '../tokens';

/** A description that is being written and not saved. */
export interface IDraft {
  text: string;
  /** What it was before, and the version of the State in which it was that. */
  base: string;
  version: string;
  /** The State that a refusal brought, in which somebody else had changed it. */
  conflict: IState | null;
}

/** The one draft of a page: a card that is closed loses nothing, and leaving the page asks. */
export class Draft {
  get value(): IDraft | null {
    return this._value;
  }

  readonly changed = new Signal<this, void>(this);

  set(value: IDraft | null): void {
    this._value = value;
    window.removeEventListener('beforeunload', askFirst);
    if (value) {
      window.addEventListener('beforeunload', askFirst);
    }
    this.changed.emit();
  }

  private _value: IDraft | null = null;
}

const drafts = new WeakMap<IAutostopModel, Draft>();

/** The draft of the instance that a model knows. */
export function draftOf(model: IAutostopModel): Draft {
  const draft = drafts.get(model) ?? new Draft();
  drafts.set(model, draft);
  return draft;
}

function askFirst(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

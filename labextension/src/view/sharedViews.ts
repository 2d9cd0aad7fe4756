import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';

import type { IWords } from '../format/words';
import type { IAutostopModel } from '../tokens';
import type { IView } from './viewModel';
import { describe } from './viewModel';

/** Draws a view; `more` than the countdown's own text and label has changed. */
type Draw = (view: IView, more: boolean) => void;

/** What the countdowns of a page show: made once a tick for all of them, and drawn only where it has changed. */
class Views {
  constructor(
    readonly model: IAutostopModel,
    readonly words: IWords
  ) {}

  /** Draw now, and whenever something has changed, until the result is disposed. */
  follow(draw: Draw): IDisposable {
    const { changed, ticker } = this.model;
    if (this._draws.size === 0) {
      changed.connect(this._look, this);
      this._tick = ticker.subscribe(() => this._look());
    }
    draw(this._look(), true);
    this._draws.add(draw);
    return new DisposableDelegate(() => {
      this._draws.delete(draw);
      if (this._draws.size === 0) {
        changed.disconnect(this._look, this);
        this._tick?.dispose();
      }
    });
  }

  private _look(): IView {
    const view = describe(this.model.situation(), this.words);
    const { text, label, ...others } = view;
    const [time, rest] = [text + label, JSON.stringify(others)];
    const more = rest !== this._rest;
    if (more || time !== this._time) {
      this._time = time;
      this._rest = rest;
      [...this._draws].forEach(draw => draw(view, more));
    }
    return view;
  }

  private readonly _draws = new Set<Draw>();
  private _tick: IDisposable | null = null;
  private _time = '';
  private _rest = '';
}

let last: Views | null = null;

/** What is shown of a model in some words; the same for all that ask for the same. */
export function viewsOf(model: IAutostopModel, words: IWords): Views {
  if (last?.model !== model || last.words.trans !== words.trans || last.words.locale !== words.locale) {
    last = new Views(model, words);
  }
  return last;
}

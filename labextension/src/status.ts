import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';

import type { IconName } from './icons';
import { drawIcon, iconOf } from './icons';
import type { IAutostopModel } from './tokens';
import type { IView, IWords } from './view';
import { describe } from './view';

/** The countdown in the status bar, and what must be known beside it. */
export class StatusItem extends Widget {
  constructor(model: IAutostopModel, words: IWords) {
    super({ node: skeleton(words.trans) });
    this.addClass('jp-AutostopStatus');
    this._model = model;
    this._words = words;
    this._tick = model.ticker.subscribe(() => this._render());
    model.changed.connect(this._render, this);
    this._render();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._tick.dispose();
    this._model.changed.disconnect(this._render, this);
    super.dispose();
  }

  private _render(): void {
    const view = describe(this._model.situation(), this._words);
    const shown = this._shown;
    this._shown = view;
    // Once a second for as long as the page is open: only what differs reaches the document.
    if (view.kind !== shown?.kind || view.level !== shown.level) {
      this.node.dataset.kind = view.kind;
      this.node.dataset.level = view.level;
      this._draw(iconOf(view));
    }
    if (view.text !== shown?.text) {
      this._part('jp-AutostopCountdown').textContent = view.text;
    }
    if (view.label !== shown?.label) {
      this._part('jp-AutostopCountdown').setAttribute('aria-label', view.label);
    }
    if (view.note !== shown?.note) {
      fill(this._part('jp-AutostopStatus-note'), view.note);
    }
    if (view.badge !== shown?.badge) {
      fill(this._part('jp-AutostopBadge'), view.badge);
    }
    if (view.title !== shown?.title) {
      this.node.title = view.title;
    }
  }

  private _draw(icon: IconName): void {
    if (icon !== this._icon) {
      this._icon = icon;
      this._part('jp-AutostopStatus-icon').replaceChildren(drawIcon(icon));
    }
  }

  private _part(name: string): HTMLElement {
    const part = this.node.getElementsByClassName(name)[0];
    if (!(part instanceof HTMLElement)) {
      throw new Error(`The status item has lost its ${name}.`);
    }
    return part;
  }

  private readonly _model: IAutostopModel;
  private readonly _words: IWords;
  private readonly _tick: IDisposable;
  private _shown: IView | null = null;
  private _icon: IconName | null = null;
}

function skeleton(trans: TranslationBundle): HTMLElement {
  const node = document.createElement('div');
  // Nothing to press, but everything in the title must be within reach of the keyboard.
  node.tabIndex = 0;
  node.setAttribute('role', 'group');
  node.setAttribute('aria-label', trans.__('Auto-stop'));
  const icon = part('jp-AutostopStatus-icon');
  icon.setAttribute('aria-hidden', 'true');
  const countdown = part('jp-AutostopCountdown');
  countdown.setAttribute('role', 'timer');
  // A timer is silent by its role; said again for screen readers that announce every change.
  countdown.setAttribute('aria-live', 'off');
  node.append(icon, countdown, part('jp-AutostopStatus-note'), part('jp-AutostopBadge'));
  return node;
}

function part(name: string): HTMLElement {
  const element = document.createElement('span');
  element.className = name;
  return element;
}

function fill(element: HTMLElement, text: string): void {
  element.textContent = text;
  element.hidden = text === '';
}

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';

import type { IconName } from './icons';
import { drawIcon, iconOf } from './icons';
import { place } from './popover';
import type { IAutostopModel } from './tokens';
import type { IView, IWords } from './view';
import { describe } from './view';

export interface IStatusOptions {
  model: IAutostopModel;
  words: IWords;
  /** Open the card beside this item, or close it; what the button says of itself follows. */
  toggle: (item: StatusItem) => void;
  /** Where it stands. */
  name: 'jp-AutostopStatus' | 'jp-AutostopChip';
}

/**
 * The countdown in the status bar or in a notebook's toolbar, and what must be known beside it.
 *
 * The whole of it can be clicked. For the keyboard and for screen readers there is a button of its own
 * over it: inside one, the timer would be no timer any more.
 */
export class StatusItem extends Widget {
  constructor(options: IStatusOptions) {
    const button = document.createElement('button');
    super({ node: skeleton(button, options.words.trans) });
    this.button = button;
    this.addClass('jp-AutostopItem');
    this.addClass(options.name);
    this._options = options;
    this._tick = options.model.ticker.subscribe(() => this._render());
    options.model.changed.connect(this._render, this);
    this.node.addEventListener('click', () => {
      this._hideTip();
      options.toggle(this);
    });
    button.addEventListener('focus', () => this._showTip());
    button.addEventListener('blur', () => this._hideTip());
    this._render();
  }

  readonly button: HTMLButtonElement;

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._tick.dispose();
    this._options.model.changed.disconnect(this._render, this);
    this._hideTip();
    super.dispose();
  }

  private _render(): void {
    const view = describe(this._options.model.situation(), this._options.words);
    const shown = this._shown;
    this._shown = view;
    // Once a second for as long as the page is open: only what differs reaches the document.
    if (view.kind !== shown?.kind || view.level !== shown.level || view.pending !== shown.pending) {
      this.node.dataset.kind = view.kind;
      this.node.dataset.level = view.level;
      this.node.toggleAttribute('data-pending', view.pending);
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
      // The button's own: what a screen reader tells beside its name.
      this.button.title = view.title;
      this._fillTip();
    }
  }

  private _draw(icon: IconName): void {
    if (icon !== this._icon) {
      this._icon = icon;
      this._part('jp-AutostopStatus-icon').replaceChildren(drawIcon(icon));
    }
  }

  /** What hovering tells, for those who come by keyboard: browsers show no title then. */
  private _showTip(): void {
    if (!this._tip && this.button.matches(':focus-visible')) {
      this._tip = part('jp-AutostopTip');
      // The button's title says the same already.
      this._tip.setAttribute('aria-hidden', 'true');
      this._fillTip();
      document.body.append(this._tip);
      place(this._tip, this.node);
    }
  }

  private _fillTip(): void {
    if (this._tip && this._shown) {
      this._tip.textContent = this._shown.title;
    }
  }

  private _hideTip(): void {
    this._tip?.remove();
    this._tip = null;
  }

  private _part(name: string): HTMLElement {
    const part = this.node.getElementsByClassName(name)[0];
    if (!(part instanceof HTMLElement)) {
      throw new Error(`The status item has lost its ${name}.`);
    }
    return part;
  }

  private readonly _options: IStatusOptions;
  private readonly _tick: IDisposable;
  private _shown: IView | null = null;
  private _icon: IconName | null = null;
  private _tip: HTMLElement | null = null;
}

function skeleton(button: HTMLElement, trans: TranslationBundle): HTMLElement {
  const node = document.createElement('div');
  button.className = 'jp-AutostopItem-button';
  button.setAttribute('type', 'button');
  button.setAttribute('aria-label', trans.__('Auto-stop'));
  button.setAttribute('aria-haspopup', 'dialog');
  button.setAttribute('aria-expanded', 'false');
  const icon = part('jp-AutostopStatus-icon');
  icon.setAttribute('aria-hidden', 'true');
  const countdown = part('jp-AutostopCountdown');
  countdown.setAttribute('role', 'timer');
  // A timer is silent by its role; said again for screen readers that announce every change.
  countdown.setAttribute('aria-live', 'off');
  node.append(button, icon, countdown, part('jp-AutostopStatus-note'), part('jp-AutostopBadge'));
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

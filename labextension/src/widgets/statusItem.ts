import type { IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';

import type { IWords } from '../format/words';
import type { IAutostopModel } from '../tokens';
import { drawIcon, iconOf } from '../view/icons';
import { viewsOf } from '../view/sharedViews';
import type { IView } from '../view/viewModel';
import { place } from './popover';

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
 * The icon is a button and the whole is its label, so that a click anywhere presses the button: inside one,
 * the timer would be no timer any more.
 */
export class StatusItem extends Widget {
  constructor({ model, words, toggle, name }: IStatusOptions) {
    super({ node: document.createElement('label') });
    this.addClass('jp-AutostopItem');
    this.addClass(name);
    const { node, button, _icon: icon, _countdown: countdown } = this;
    button.type = 'button';
    button.setAttribute('aria-label', words.trans.__('Auto-stop'));
    button.setAttribute('aria-haspopup', 'dialog');
    button.setAttribute('aria-expanded', 'false');
    icon.setAttribute('aria-hidden', 'true');
    button.append(icon);
    countdown.setAttribute('role', 'timer');
    // A timer is silent by its role; said again for screen readers that announce every change.
    countdown.setAttribute('aria-live', 'off');
    node.append(button, countdown, this._note, this._badge);
    this._followed = viewsOf(model, words).follow((view, more) => this._draw(view, more));
    node.addEventListener('pointerenter', model.look);
    button.addEventListener('click', () => {
      this._hideTip();
      toggle(this);
    });
    button.addEventListener('focus', () => {
      model.look();
      this._showTip();
    });
    button.addEventListener('blur', () => this._hideTip());
  }

  readonly button = part('button', 'jp-AutostopItem-button');

  override dispose(): void {
    this._followed.dispose();
    this._hideTip();
    super.dispose();
  }

  private _draw(view: IView, more: boolean): void {
    this._countdown.textContent = view.text;
    this._countdown.setAttribute('aria-label', view.label);
    if (more) {
      const { node } = this;
      node.dataset.kind = view.kind;
      node.dataset.level = view.level;
      node.toggleAttribute('data-pending', view.pending);
      this._icon.replaceChildren(drawIcon(iconOf(view)));
      fill(this._note, view.note);
      fill(this._badge, view.badge);
      // The button's own: what a screen reader tells beside its name.
      node.title = this.button.title = view.title;
      if (this._tip) {
        this._tip.textContent = view.title;
      }
    }
  }

  /** What hovering tells, for those who come by keyboard: browsers show no title then. */
  private _showTip(): void {
    if (!this._tip && this.button.matches(':focus-visible')) {
      this._tip = part('span', 'jp-AutostopTip');
      // The button's title says the same already.
      this._tip.setAttribute('aria-hidden', 'true');
      this._tip.textContent = this.node.title;
      document.body.append(this._tip);
      place(this._tip, this.node);
    }
  }

  private _hideTip(): void {
    this._tip?.remove();
    this._tip = null;
  }

  private readonly _icon = part('span', 'jp-AutostopStatus-icon');
  private readonly _countdown = part('span', 'jp-AutostopCountdown');
  private readonly _note = part('span', 'jp-AutostopStatus-note');
  private readonly _badge = part('span', 'jp-AutostopBadge');
  private readonly _followed: IDisposable;
  private _tip: HTMLElement | null = null;
}

function part<K extends 'span' | 'button'>(tag: K, name: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}

function fill(element: HTMLElement, text: string): void {
  element.textContent = text;
  element.hidden = text === '';
}

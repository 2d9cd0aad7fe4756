import type { TranslationBundle } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';

/** What a popover stands beside: where it points to, and the button that opened it. */
export interface IAnchor {
  readonly node: HTMLElement;
  readonly button: HTMLElement;
}

const GAP = 4;

/**
 * The card beside what opened it. Escape closes it, and so does a click elsewhere, or leaving it by the Tab key.
 *
 * Closed it is hidden, not gone: what somebody has typed in the card is there when it opens again.
 */
export class Popover extends Panel {
  constructor(make: () => Widget, trans: TranslationBundle) {
    super();
    this.addClass('jp-AutostopPopover');
    this.node.tabIndex = -1;
    this.node.setAttribute('role', 'dialog');
    this.node.setAttribute('aria-label', trans.__('Auto-stop'));
    this._make = make;
    this.hide();
  }

  toggle(anchor: IAnchor): void {
    const again = this._anchor === anchor;
    this._shut();
    if (!again) {
      this._open(anchor);
    }
  }

  override dispose(): void {
    this._shut(false);
    super.dispose();
  }

  handleEvent(event: Event): void {
    const { type, target } = event;
    const { key } = event as KeyboardEvent;
    if (type === 'keydown') {
      this._tabbed = key === 'Tab';
      if (key === 'Escape' && !inDialog(target)) {
        event.stopPropagation();
        this._shut();
      }
    } else if (type === 'resize') {
      this._place();
    } else if (type === 'pointerdown') {
      this._leave(target);
    } else if (this._tabbed) {
      // Only where the person went: a notebook takes the focus by itself when its toolbar is clicked.
      this._leave((event as FocusEvent).relatedTarget);
    }
  }

  /** Close when the person turns to something else; a dialog of the card's is nothing else. */
  private _leave(target: EventTarget | null): void {
    const inside = [this.node, this._anchor?.node].some(node => node?.contains(target as Node));
    if (target && !inside && !inDialog(target)) {
      this._shut(false);
    }
  }

  private _open(anchor: IAnchor): void {
    this._anchor = anchor;
    if (this.widgets.length === 0) {
      this.addWidget(this._make());
    }
    if (!this.isAttached) {
      Widget.attach(this, document.body);
    }
    this.show();
    anchor.button.setAttribute('aria-expanded', 'true');
    this._place();
    this._listen(true);
    this.node.focus();
  }

  /** Close, and give the focus back to the button that opened it, unless it has gone elsewhere. */
  private _shut(focus = true): void {
    const anchor = this._anchor;
    if (anchor) {
      this._anchor = null;
      this._listen(false);
      this.hide();
      anchor.button.setAttribute('aria-expanded', 'false');
      if (focus) {
        anchor.button.focus();
      }
    }
  }

  private _place(): void {
    if (!this._anchor?.node.isConnected) {
      this._shut(false);
    } else {
      place(this.node, this._anchor.node);
    }
  }

  private _listen(on: boolean): void {
    const change = on ? 'addEventListener' : 'removeEventListener';
    document[change]('keydown', this, true);
    document[change]('pointerdown', this, true);
    this.node[change]('focusout', this);
    window[change]('resize', this);
  }

  private readonly _make: () => Widget;
  private _anchor: IAnchor | null = null;
  private _tabbed = false;
}

function inDialog(target: EventTarget | null): boolean {
  return target instanceof Element && !!target.closest('.jp-Dialog');
}

/** Put an element above or below another, wherever there is more room, and within the window. */
export function place(element: HTMLElement, anchor: HTMLElement): void {
  const { top, bottom, right } = anchor.getBoundingClientRect();
  const { innerWidth, innerHeight } = window;
  const above = top > innerHeight - bottom;
  const { style } = element;
  style.top = above ? '' : `${bottom + GAP}px`;
  style.bottom = above ? `${innerHeight - top + GAP}px` : '';
  style.maxHeight = `${(above ? top : innerHeight - bottom) - 2 * GAP}px`;
  style.right = `${Math.max(GAP, Math.min(innerWidth - right, innerWidth - element.offsetWidth - GAP))}px`;
}

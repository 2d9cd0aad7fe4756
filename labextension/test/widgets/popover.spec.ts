import { Widget } from '@lumino/widgets';

import { Popover } from '../../src/widgets/popover';
import { trans } from '../samples';

let popover: Popover;
let make: jest.Mock<Widget>;

/** Something with a button that opens it, in the page. */
function anchor(): { node: HTMLElement; button: HTMLButtonElement } {
  const node = document.createElement('div');
  const button = document.createElement('button');
  node.append(button);
  document.body.append(node);
  return { node, button };
}

function press(key: string, target: Element = document.body): void {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
}

function point(target: Element): void {
  target.dispatchEvent(new MouseEvent('pointerdown', { bubbles: true }));
}

const open = (): boolean => popover.isAttached && popover.isVisible;

beforeEach(() => {
  make = jest.fn(() => {
    const card = new Widget();
    card.node.innerHTML = '<input>';
    return card;
  });
  popover = new Popover(make, trans);
});

afterEach(() => {
  popover.dispose();
  document.body.replaceChildren();
});

describe('a popover', () => {
  it('opens as a named dialog, takes the focus, and closes by the same button', () => {
    const opener = anchor();
    expect(make).not.toHaveBeenCalled();
    popover.toggle(opener);
    expect(open()).toBe(true);
    expect(popover.node.getAttribute('role')).toBe('dialog');
    expect(popover.node.getAttribute('aria-label')).toBe('Auto-stop');
    expect(document.activeElement).toBe(popover.node);
    expect(opener.button.getAttribute('aria-expanded')).toBe('true');
    popover.toggle(opener);
    expect(open()).toBe(false);
    expect(opener.button.getAttribute('aria-expanded')).toBe('false');
    expect(document.activeElement).toBe(opener.button);
  });

  it('closes by Escape wherever the focus is, and gives it back', () => {
    const opener = anchor();
    popover.toggle(opener);
    press('x');
    expect(open()).toBe(true);
    press('Escape');
    expect(open()).toBe(false);
    expect(document.activeElement).toBe(opener.button);
  });

  it('closes by a click elsewhere, but not in itself, on what opened it, or in a dialog', () => {
    const opener = anchor();
    popover.toggle(opener);
    const dialog = document.createElement('div');
    dialog.className = 'jp-Dialog';
    document.body.append(dialog);
    for (const target of [popover.node, opener.node, dialog]) {
      point(target);
      expect(open()).toBe(true);
    }
    press('Escape', dialog);
    expect(open()).toBe(true);
    point(document.body);
    expect(open()).toBe(false);
  });

  it('closes when it is left by the Tab key, not when something else takes the focus', () => {
    const opener = anchor();
    const elsewhere = document.createElement('input');
    document.body.append(elsewhere);
    popover.toggle(opener);
    elsewhere.focus();
    expect(open()).toBe(true);
    popover.node.querySelector('input')?.focus();
    press('Tab');
    elsewhere.focus();
    expect(open()).toBe(false);
    expect(document.activeElement).toBe(elsewhere);
  });

  it('moves to another button, and keeps what was typed', () => {
    const [first, second] = [anchor(), anchor()];
    popover.toggle(first);
    const input = popover.node.querySelector('input');
    if (input) {
      input.value = 'typed';
    }
    popover.toggle(second);
    expect(open()).toBe(true);
    expect(first.button.getAttribute('aria-expanded')).toBe('false');
    expect(popover.node.querySelector('input')?.value).toBe('typed');
    expect(make).toHaveBeenCalledTimes(1);
  });

  it('closes when what it stands beside is gone', () => {
    const opener = anchor();
    popover.toggle(opener);
    opener.node.remove();
    window.dispatchEvent(new Event('resize'));
    expect(open()).toBe(false);
  });

  it('listens to nothing once it is closed or disposed', () => {
    const opener = anchor();
    popover.toggle(opener);
    popover.dispose();
    press('Escape');
    point(document.body);
    window.dispatchEvent(new Event('resize'));
    expect(opener.button.getAttribute('aria-expanded')).toBe('false');
    expect(document.querySelector('.jp-AutostopPopover')).toBeNull();
  });
});

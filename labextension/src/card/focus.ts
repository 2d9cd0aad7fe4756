/**
 * Gives the focus to the control before, when the one that has it goes away; from nowhere nobody finds back by keyboard.
 */
export function keepFocus(node: HTMLElement): void {
  /** What has the focus, and what stood before it then, the nearest first. */
  let line: HTMLElement[] = [];
  node.addEventListener('focusin', ({ target }) => {
    const all = [...node.querySelectorAll<HTMLElement>('button, input, textarea, summary')];
    line = all.slice(0, all.indexOf(target as HTMLElement) + 1).reverse();
  });
  node.addEventListener('focusout', () => {
    // Later than the observer hears of what went away: what somebody has left is nobody's concern.
    setTimeout(() => {
      if (!node.contains(document.activeElement)) {
        line = [];
      }
    });
  });
  new MutationObserver(() => {
    if (line[0]?.isConnected === false && document.activeElement === document.body) {
      line.find(control => control.isConnected)?.focus();
    }
  }).observe(node, { childList: true, subtree: true });
}

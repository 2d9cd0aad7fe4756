import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';

/** One timer for everything that shows time in this page. */
export interface ITicker {
  /** Call `listener` at each tick, in order of subscription, until the result is disposed. */
  subscribe(listener: () => void): IDisposable;
}

const SECOND = 1000;

/**
 * A timer of about 1 Hz that rests while nobody listens.
 *
 * Its ticks fall just behind the moments at which the time left drops by a whole second: a plain
 * interval drifts across them, and a countdown then shows one second twice and skips the next.
 */
export class Ticker implements ITicker {
  /**
   * @param remaining - the time left in ms, whose whole seconds the ticks follow; null: any rhythm.
   */
  constructor(remaining: () => number | null) {
    this._remaining = remaining;
  }

  subscribe(listener: () => void): IDisposable {
    // An entry of its own, so that the same function may listen twice and leave once.
    const entry = { listener };
    if (!this._disposed) {
      this._entries.add(entry);
      this.align();
    }
    return new DisposableDelegate(() => {
      this._entries.delete(entry);
      if (this._entries.size === 0) {
        this._cancel();
      }
    });
  }

  /** Find the rhythm anew, after the deadline has moved. */
  align(): void {
    this._cancel();
    if (this._entries.size > 0) {
      this._timer = window.setTimeout(() => this._tick(), untilNextSecond(this._remaining()));
    }
  }

  dispose(): void {
    this._disposed = true;
    this._cancel();
    this._entries.clear();
  }

  private _tick(): void {
    // Armed first, so that a listener that fails cannot stop the clock for all.
    this.align();
    for (const entry of [...this._entries]) {
      if (this._entries.has(entry)) {
        entry.listener();
      }
    }
  }

  private _cancel(): void {
    window.clearTimeout(this._timer);
  }

  private readonly _remaining: () => number | null;
  private readonly _entries = new Set<{ listener: () => void }>();
  private _timer = 0;
  private _disposed = false;
}

/** The ms until `remaining` has just gone below a whole second; never 0, at most a second and a bit. */
export function untilNextSecond(remaining: number | null): number {
  if (remaining === null) {
    return SECOND;
  }
  const rest = ((remaining % SECOND) + SECOND) % SECOND;
  // Floor turns 5000 into 5 and 4999 into 4: one ms past the boundary is the first moment to look.
  return rest + 1;
}

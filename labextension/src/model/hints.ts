import type { Event } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';

import type { IClock } from './serverTime';

/** The event by which the server says that the State has changed. */
export const CHANGED_EVENT = 'https://events.jupyter.org/jupyter_autostop/changed/v1';

const FIRST_WAIT = 100;
const LONGEST_WAIT = 5_000;
const FORGIVEN_AFTER = 30_000;

/**
 * Turns pushed events into looks at the server, without trusting them.
 *
 * Every logged-in client can post such an event. So one is followed at once, those that come
 * meanwhile are followed by one look together, and after each hint that turned out empty the next
 * one waits longer. One that was right is followed without delay by the next.
 */
export class Hints {
  /**
   * @param look - reads the State and tells whether there was anything new.
   */
  constructor(events: ISignal<unknown, Event.Emission>, look: () => Promise<boolean>, clock: IClock) {
    this._events = events;
    this._look = look;
    this._clock = clock;
    events.connect(this._onEvent, this);
  }

  dispose(): void {
    this._disposed = true;
    this._events.disconnect(this._onEvent, this);
    window.clearTimeout(this._timer ?? 0);
  }

  private _onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id !== CHANGED_EVENT) {
      return;
    }
    const now = this._clock.monotonic();
    if (now - this._lookedAt > FORGIVEN_AFTER) {
      this._wait = 0;
    }
    if (this._looking) {
      this._again = true;
    } else if (this._timer === null) {
      this._lookIn(this._lookedAt + this._wait - now);
    }
  }

  private _lookIn(delay: number): void {
    if (delay <= 0) {
      void this._follow();
      return;
    }
    this._timer = window.setTimeout(() => {
      this._timer = null;
      void this._follow();
    }, delay);
  }

  private async _follow(): Promise<void> {
    this._looking = true;
    const news = await this._look();
    this._looking = false;
    this._lookedAt = this._clock.monotonic();
    this._wait = news ? 0 : Math.min(LONGEST_WAIT, Math.max(FIRST_WAIT, 2 * this._wait));
    if (this._takeAgain() && !this._disposed) {
      this._lookIn(this._wait);
    }
  }

  private _takeAgain(): boolean {
    const again = this._again;
    this._again = false;
    return again;
  }

  private readonly _events: ISignal<unknown, Event.Emission>;
  private readonly _look: () => Promise<boolean>;
  private readonly _clock: IClock;
  private _timer: number | null = null;
  private _looking = false;
  private _again = false;
  private _lookedAt = -Infinity;
  private _wait = 0;
  private _disposed = false;
}

/** Where time comes from, so that tests can turn it. */
export interface IClock {
  /** Ms that never go back, but may stand still while the computer sleeps. */
  monotonic(): number;
  /** Ms since the epoch by the computer's clock, which anybody may set. */
  wall(): number;
}

export const browserClock: IClock = {
  monotonic: () => performance.now(),
  wall: () => Date.now()
};

/** More than two readings in a row can differ by themselves; less than anybody would notice. */
const JUMP = 1000;

/**
 * Carries the server's time forward in the page.
 *
 * It counts on the monotonic clock, so that a wrong or changed computer clock does not matter. Only
 * a *jump* between the two clocks is looked at: forward it is most likely sleep, in which monotonic
 * clocks often stand still, so it is counted as time gone by until the server has been heard again.
 */
export class ServerTime {
  constructor(clock: IClock) {
    this._clock = clock;
    this._monotonic = clock.monotonic();
    this._wall = clock.wall();
  }

  /** A jump was seen, and the server has not told its time since. */
  get uncertain(): boolean {
    return this._uncertain;
  }

  /** The server's present time in epoch ms; before it was told, the computer's. */
  now(): number {
    return this._anchor === null
      ? this._clock.wall()
      : this._anchor.server + this._slept + this._clock.monotonic() - this._anchor.at;
  }

  /** Take what the server said its time was when its answer came in, at `at` on the monotonic clock. */
  set(server: number, at: number): void {
    // Whether a jump in between came before the answer or after it cannot be told: the nearer stop
    // is shown, and whoever looks at `uncertain` asks once more.
    const drift = this._drift();
    this._anchor = { server, at };
    this._slept = Math.max(0, drift);
    this._uncertain = drift !== 0;
  }

  /** Look for a jump since the last look; true when there was one. */
  check(): boolean {
    const drift = this._drift();
    this._slept += Math.max(0, drift);
    this._uncertain ||= drift !== 0;
    return drift !== 0;
  }

  /** How far the computer's clock has moved more than the monotonic one since the last look. */
  private _drift(): number {
    const monotonic = this._clock.monotonic();
    const wall = this._clock.wall();
    const drift = wall - this._wall - (monotonic - this._monotonic);
    this._monotonic = monotonic;
    this._wall = wall;
    return Math.abs(drift) < JUMP ? 0 : drift;
  }

  private readonly _clock: IClock;
  private _monotonic: number;
  private _wall: number;
  private _anchor: { server: number; at: number } | null = null;
  private _slept = 0;
  private _uncertain = false;
}

import type { Event, ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { linkProblem, retryDelay } from '../api/errors';
import type { IConnection, IReceived } from '../api/request';
import { getInstance, getJournal } from '../api/routes';
import type { IChange, IJournalEntry, IState } from '../api/types';
import { shownStop, timeLeft } from '../format/countdown';
import type { IAutostopModel, ILinkProblem, IResult, ISituation } from '../tokens';
import { sameState } from './compare';
import { Hints } from './hints';
import type { IClock } from './serverTime';
import { browserClock, ServerTime } from './serverTime';
import { Ticker } from './ticker';
import { Writes } from './writes';

/** Pushes make this rare; it stays under the time after which the server stops looking for us. */
const RESYNC = 330_000;
/** Where no event can come, this is how late the page sees what others do. */
const RESYNC_WITHOUT_EVENTS = 60_000;
/** The event by which the server says that the platform has confirmed what is known, and when. */
export const LOOKED_EVENT = 'https://events.jupyter.org/jupyter_autostop/looked/v1';
/** How far, in ms, a confirmation may seem to lie ahead: the page's idea of the server's time is that exact. */
const AHEAD = 2_000;
/** The same page gets and loses the focus often; an answer this fresh will do. */
const FRESH = 10_000;
/**
 * After the connection for events has broken: whether the server is still there. Longer each time that it was, where
 * something in between cuts what is idle; then the connection is there again before.
 */
const PATIENCE = 2_000;
const LONGEST_PATIENCE = 32_000;
/** After the stop time has passed: when the server has had time to see what came of it. */
const AFTERMATH = 5_000;

export interface IModelOptions {
  settings: ServerConnection.ISettings;
  trans: TranslationBundle;
  /** The server's events; without them a resync alone follows what others do. */
  events?: ISignal<unknown, Event.Emission>;
  /** Emits true when events come that could not come before, false when they no longer come. */
  turned?: ISignal<unknown, boolean>;
  clock?: IClock;
  random?: () => number;
}

/** Keeps what the server says, and the time it is there. */
export class AutostopModel implements IAutostopModel {
  constructor(options: IModelOptions) {
    const clock = options.clock ?? browserClock;
    this._connection = { settings: options.settings, clock };
    this._trans = options.trans;
    this._random = options.random ?? Math.random;
    this._time = new ServerTime(clock);
    this._writes = new Writes({
      connection: this._connection,
      trans: options.trans,
      state: () => this.state,
      accept: received => this._onWritten(received),
      changed: () => this._onPending(),
      doubt: () => void this.refresh()
    });
    this.ticker = new Ticker(() => timeLeft(shownStop(this.situation()), this._time.now()));
    this.ticker.subscribe(() => this._onTick());
    this._hints = options.events ? new Hints(options.events, () => this._look(), clock) : null;
    options.events?.connect(this._onEvent, this);
    options.turned?.connect(this._onTurned, this);
    this._listen('addEventListener');
    void this.refresh();
  }

  readonly ticker: Ticker;

  readonly changed = new Signal<this, void>(this);
  state: IState | null = null;
  link: ILinkProblem | null = null;
  isDisposed = false;

  situation(): ISituation {
    return {
      state: this.state,
      link: this.link,
      now: this._time.now(),
      confirmedAt: this._confirmedAt,
      uncertain: this._time.uncertain,
      pending: this._writes.pending
    };
  }

  extendBy(seconds: number): Promise<IResult> {
    return this._writes.extendBy(seconds);
  }

  extendUntil(until: number): Promise<IResult> {
    return this._writes.extendUntil(until);
  }

  change(change: IChange, version?: string): Promise<IResult> {
    return this._writes.change(change, version);
  }

  endHold(id: string): Promise<IResult> {
    return this._writes.endHold(id);
  }

  stop(): Promise<IResult> {
    return this._writes.stop();
  }

  async journal(): Promise<IJournalEntry[]> {
    try {
      return await getJournal(this._connection);
    } catch (error) {
      throw new Error(linkProblem(error, this._trans).message);
    }
  }

  /** Resolves when an answer to a request sent after this call is in; never rejects: see `link`. */
  refresh(platform = false): Promise<void> {
    if (this.isDisposed) {
      return Promise.resolve();
    }
    this._askPlatform ||= platform;
    // One in flight may have been answered before what the caller wants to see: one more, for all.
    this._next ??= this._current?.then(() => this._begin()) ?? null;
    return this._next ?? this._begin();
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._writes.dispose();
    this.isDisposed = true;
    this._abort?.abort();
    this._cancelTimer();
    this._hints?.dispose();
    Signal.disconnectReceiver(this);
    this.ticker.dispose();
    this._listen('removeEventListener');
    Signal.clearData(this);
  }

  private _listen(change: 'addEventListener' | 'removeEventListener'): void {
    window[change]('focus', this.look);
    window[change]('online', this._onWake);
    window[change]('pagehide', this._onLeave);
    document[change]('visibilitychange', this.look);
  }

  private _begin(): Promise<void> {
    this._next = null;
    if (this.isDisposed) {
      return Promise.resolve();
    }
    const flight = this._ask().finally(() => {
      this._current = null;
    });
    this._current = flight;
    return flight;
  }

  private async _ask(): Promise<void> {
    const refresh = this._askPlatform;
    const abort = new AbortController();
    this._askPlatform = false;
    this._abort = abort;
    this._askedAt = this._connection.clock.monotonic();
    this._cancelTimer();
    // Jumps so far are over before the server tells its time; what is seen later came in between.
    this._time.check();
    let delay = this._hears ? RESYNC : RESYNC_WITHOUT_EVENTS;
    const written = this._written;
    try {
      const received = await getInstance(this._connection, { refresh, signal: abort.signal });
      if (written !== this._written) {
        // A write was answered meanwhile, and nobody can tell which of the two answers is the older.
        void this.refresh();
      } else if (!this.isDisposed) {
        this._accept(received);
      }
    } catch (error) {
      if (abort.signal.aborted) {
        // Given up by ourselves: no news about the server, and another request follows.
        this._askPlatform ||= refresh;
      } else if (!this.isDisposed) {
        this._failures += 1;
        this._patience = PATIENCE;
        this._setLink(linkProblem(error, this._trans));
        delay = retryDelay(error, this._failures, this._random());
      }
    }
    this._askIn(delay);
  }

  private _askIn(delay: number): void {
    if (!this.isDisposed) {
      this._cancelTimer();
      this._timer = window.setTimeout(() => void this.refresh(), delay);
    }
  }

  /** @param settled - whether a write is no longer under way, which is news in itself. */
  private _accept(received: IReceived, settled = false): void {
    // What a write has done is told to who asked for it; it is no part of what holds.
    const state = { ...received.state, outcome: null };
    const news = !sameState(this.state, state) || this.link !== null;
    this.state = state;
    this._confirmedAt = state.confirmed_at;
    this.link = null;
    this._failures = 0;
    this._time.set(received.state.server_time, received.at);
    this.ticker.align();
    if (this._time.uncertain) {
      void this.refresh();
    }
    if (news || settled) {
      this._emit();
    }
  }

  private _onWritten(received: IReceived): void {
    this._written += 1;
    if (!this.isDisposed) {
      this._accept(received, true);
    }
  }

  private _onPending(): void {
    if (!this.isDisposed) {
      this.ticker.align();
      this._emit();
    }
  }

  private _setLink(link: ILinkProblem): void {
    const before = this.link;
    this.link = link;
    if (JSON.stringify(before) !== JSON.stringify(link)) {
      this._emit();
    }
  }

  private _emit(): void {
    this._revision += 1;
    this.changed.emit();
  }

  /** Follow a hint; true when it was worth it. */
  private async _look(): Promise<boolean> {
    const before = this._revision;
    await this.refresh();
    return this._revision !== before;
  }

  private _onTick(): void {
    if (this._time.check()) {
      this._onWake();
    }
    const stop = this.state?.deadline?.stop_timestamp ?? null;
    const left = timeLeft(stop, this._time.now());
    if (left !== null && left <= -AFTERMATH && this._seenPast !== stop) {
      this._seenPast = stop;
      void this.refresh();
    }
  }

  /** Take over when the platform was last asked; every logged-in client can post this, so it decides nothing. */
  private _onEvent(_: unknown, { schema_id, confirmed_at: at }: Event.Emission): void {
    const { state, link } = this;
    const latest = this._time.now() + AHEAD;
    if (schema_id !== LOOKED_EVENT || !state || state.stale || link || typeof at !== 'number') {
      return;
    }
    if (at > (this._confirmedAt ?? latest) && at <= latest) {
      this._confirmedAt = at;
      this._emit();
    }
  }

  private _onTurned(_: unknown, open: boolean): void {
    this._hears = open;
    if (open) {
      void this.refresh();
    } else {
      // It most often comes back by itself before this, and the look that it then is worth tells as much.
      this._askIn(this._patience);
      this._patience = Math.min(2 * this._patience, LONGEST_PATIENCE);
    }
  }

  private readonly _onLeave = (): void => this._writes.flush();

  /** After sleep, or back on the network: a request from before may hang for minutes. */
  private readonly _onWake = (): void => {
    this._abort?.abort();
    this._failures = 0;
    void this.refresh();
  };

  readonly look = (): void => {
    if (document.visibilityState === 'hidden') {
      return;
    }
    if (this._time.check()) {
      this._onWake();
    } else if (this._current === null) {
      const old = this._connection.clock.monotonic() - this._askedAt;
      if (old > (this.link ? FRESH / 10 : FRESH)) {
        void this.refresh();
      }
    }
  };

  private _cancelTimer(): void {
    window.clearTimeout(this._timer);
  }

  private readonly _connection: IConnection;
  private readonly _trans: TranslationBundle;
  private readonly _random: () => number;
  private readonly _time: ServerTime;
  private readonly _hints: Hints | null;
  private readonly _writes: Writes;
  private _confirmedAt: number | null = null;
  private _hears = false;
  private _failures = 0;
  private _patience = PATIENCE;
  private _revision = 0;
  private _timer = 0;
  private _current: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
  private _abort: AbortController | null = null;
  private _askPlatform = false;
  private _askedAt = -Infinity;
  private _seenPast: number | null = null;
  private _written = 0;
}

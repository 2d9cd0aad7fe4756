import type { TranslationBundle } from '@jupyterlab/translation';

import { linkProblem } from '../api/errors';
import type { IConnection, IReceived } from '../api/request';
import { ApiError, ConnectionLostError } from '../api/request';
import { deleteHold, extendInstance, patchInstance, stopInstance } from '../api/routes';
import type { IChange, IState } from '../api/types';
import { said } from '../format/problems';
import type { IPending, IRefusal, IResult } from '../tokens';

/** Clicks that follow each other within this many ms are one wish. */
export const GATHER = 500;

/** Of the two parts of a State's version: which one a write depends on, and changes. */
const SETTING = 0;
const DESCRIPTION = 1;

export interface IWritesOptions {
  connection: IConnection;
  trans: TranslationBundle;
  /** What is known now. */
  state: () => IState | null;
  /** Take the State that answers a write. */
  accept: (received: IReceived) => void;
  /** What is pending has changed. */
  changed: () => void;
  /** A write failed: only a look at the server tells what holds. */
  doubt: () => void;
}

/** A wish that is still being gathered, and the promise of all who share it. */
interface IGathered {
  wish: IPending & { until: number };
  version: ISeen | null;
  timer: number;
  result: Promise<IResult>;
  send: () => void;
}

/** The version that somebody looked at, and how many of our own writes had been answered by then. */
interface ISeen {
  version: string;
  after: number;
}

/** The writes of this page: one at a time, in their order, each shown as pending until it is answered. */
export class Writes {
  constructor(options: IWritesOptions) {
    this._options = options;
  }

  /** What is to be shown as not yet confirmed: a stop time before everything else, the latest before others. */
  get pending(): IPending | null {
    const line = [...this._line.keys()].reverse();
    return line.find(wish => wish.until !== null) ?? line[0] ?? null;
  }

  extendBy(seconds: number): Promise<IResult> {
    const from = this.pending?.until ?? this._options.state()?.deadline?.stop_timestamp;
    if (from === undefined) {
      const { trans } = this._options;
      return refused('no_deadline', trans.__('There is no known stop time to extend.'));
    }
    return this.extendUntil(from + seconds * 1000);
  }

  extendUntil(until: number): Promise<IResult> {
    const gathered = this._gathered ?? this._gather(until);
    window.clearTimeout(gathered.timer);
    gathered.timer = window.setTimeout(gathered.send, GATHER);
    if (gathered.wish.until !== until) {
      gathered.wish.until = until;
      this._options.changed();
    }
    return gathered.result;
  }

  change(change: IChange, version?: string): Promise<IResult> {
    const parts = [
      ...(change.auto_stop ? [SETTING] : []),
      ...(change.description === undefined ? [] : [DESCRIPTION])
    ];
    const what = change.auto_stop ? 'auto_stop' : 'description';
    return this._write({ what, until: null }, parts, this._seen(version), seen =>
      patchInstance(this._options.connection, change, seen)
    );
  }

  endHold(id: string): Promise<IResult> {
    return this._write({ what: 'hold', until: null }, [SETTING], this._seen(), () =>
      deleteHold(this._options.connection, id)
    );
  }

  stop(): Promise<IResult> {
    return this._write({ what: 'stop', until: null }, [], this._seen(), () =>
      stopInstance(this._options.connection)
    );
  }

  /** Send at once what is gathered or waits for an answer: the page is left, and nobody would send it later. */
  flush(): void {
    this._gathered?.send();
    this._line.forEach(send => void send());
  }

  dispose(): void {
    this.flush();
    this._disposed = true;
  }

  private _gather(until: number): IGathered {
    const wish = { what: 'extend' as const, until };
    let send: () => void = () => undefined;
    const gate = new Promise<void>(resolve => (send = resolve));
    const version = this._seen();
    const gathered: IGathered = {
      wish,
      version,
      timer: 0,
      send: () => {
        window.clearTimeout(gathered.timer);
        this._gathered = null;
        send();
      },
      result: this._write(
        wish,
        [SETTING],
        version,
        // Sent behind a write whose answer is not here, it cannot know the version; it shortens nothing in any case.
        seen =>
          extendInstance(
            this._options.connection,
            wish.until,
            [...this._line.keys()][0] === wish ? seen : '*'
          ),
        gate
      )
    };
    this._gathered = gathered;
    return gathered;
  }

  private _seen(version = this._options.state()?.version): ISeen | null {
    return version === undefined ? null : { version, after: this._answered.length };
  }

  /** Write when all earlier writes are answered, and `gate` is open; never rejects. */
  private _write(
    wish: IPending,
    parts: number[],
    seen: ISeen | null,
    send: (version: string) => Promise<IReceived>,
    gate?: Promise<void>
  ): Promise<IResult> {
    const { trans } = this._options;
    if (!seen || this._disposed) {
      return refused('unknown', trans.__('Nothing is known of the instance yet; nothing was changed.'));
    }
    let sent: Promise<IResult> | undefined;
    const once = (): Promise<IResult> => (sent ??= this._send(wish, parts, seen, send));
    this._line.set(wish, once);
    this._options.changed();
    const before = this._last;
    const result = (async () => {
      await gate;
      await before;
      return once();
    })();
    this._last = result;
    return result;
  }

  private async _send(
    wish: IPending,
    parts: number[],
    seen: ISeen,
    send: (version: string) => Promise<IReceived>
  ): Promise<IResult> {
    const { trans, accept, changed, doubt } = this._options;
    const from = this._present(seen);
    try {
      const received = await send(from);
      const to = received.state.version;
      this._answered.push(...parts.map(part => ({ part, from: split(from)[part], to: split(to)[part] })));
      this._line.delete(wish);
      accept(received);
      return { outcome: received.state.outcome, refusal: null };
    } catch (error) {
      this._line.delete(wish);
      changed();
      doubt();
      return { outcome: null, refusal: refusalOf(error, trans) };
    }
  }

  /** The version a person saw, carried over our own writes since: those are not somebody else's. */
  private _present(seen: ISeen): string {
    const parts = split(seen.version);
    for (const { part, from, to } of this._answered.slice(seen.after)) {
      if (parts[part] === from && to !== undefined) {
        parts[part] = to;
      }
    }
    return parts.join('.');
  }

  private readonly _options: IWritesOptions;
  /** What is not answered yet, in its order, each with what sends it unless it was sent. */
  private readonly _line = new Map<IPending, () => Promise<IResult>>();
  private readonly _answered: { part: number; from: string | undefined; to: string | undefined }[] = [];
  private _gathered: IGathered | null = null;
  private _last: Promise<unknown> = Promise.resolve();
  private _disposed = false;
}

function split(version: string): string[] {
  return version.split('.');
}

function refused(code: string, message: string): Promise<IResult> {
  return Promise.resolve({ outcome: null, refusal: { code, message, hint: null, conflict: null } });
}

function refusalOf(error: unknown, trans: TranslationBundle): IRefusal {
  if (error instanceof ApiError) {
    const { code, message, hint, state } = error;
    return { code, message: said(code, message, trans), hint, conflict: state };
  }
  if (error instanceof ConnectionLostError) {
    const message = trans.__('The Jupyter server did not answer: whether this was done is not known.');
    const hint = trans.__('What is shown is put right as soon as it answers again.');
    return { code: 'lost', message, hint, conflict: null };
  }
  const { kind, message, hint } = linkProblem(error, trans);
  return { code: kind, message, hint, conflict: null };
}

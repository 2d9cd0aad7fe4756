import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { UUID } from '@lumino/coreutils';

import type { IConnection } from '../api/request';
import { RequestError } from '../api/request';
import { tellZone } from '../api/routes';
import { browserZone } from '../format/zones';

/** Several notebooks are opened or closed in one go, and a restored page opens many. */
const GATHER_MS = 500;
/** A person who comes back to this page is told apart from one who clicks about. */
const FRESH_MS = 5 * 60_000;
/** The most kernels that the server takes. */
const MOST_KERNELS = 64;

export interface IPageZoneOptions {
  connection: IConnection;
  /** The notebooks of this page; without them it is known as a page, and shows none. */
  tracker: INotebookTracker | null;
  zone?: () => string;
}

/** Tells the server in which time zone this page is read, so that 18:00 means the same in its cells. */
export class PageZone {
  constructor(options: IPageZoneOptions) {
    this._options = options;
    options.tracker?.widgetAdded.connect((_, panel) => this._follow(panel));
    options.tracker?.forEach(panel => this._follow(panel));
    window.addEventListener('focus', this._onFocus);
    window.addEventListener('pageshow', this._onFocus);
    window.addEventListener('pagehide', this._onLeave);
    this._soon();
  }

  dispose(): void {
    this._isDisposed = true;
    window.removeEventListener('focus', this._onFocus);
    window.removeEventListener('pageshow', this._onFocus);
    window.removeEventListener('pagehide', this._onLeave);
    window.clearTimeout(this._timer);
  }

  private _follow(panel: NotebookPanel): void {
    panel.sessionContext.kernelChanged.connect(() => this._soon());
    panel.disposed.connect(() => this._soon());
    this._soon();
  }

  private _soon(delay = GATHER_MS): void {
    if (!this._isDisposed) {
      window.clearTimeout(this._timer);
      this._timer = window.setTimeout(() => void this._tell(), delay);
    }
  }

  private async _tell(): Promise<void> {
    const { connection } = this._options;
    const [zone, kernels] = [this._zone(), this._kernels()];
    this._toldAt = connection.clock.monotonic();
    this._told = JSON.stringify([zone, kernels]);
    try {
      const seconds = await tellZone(connection, { page: this._page, zone, kernels });
      // Well before the server takes this page for one that has gone.
      this._soon((seconds * 1000 * 2) / 3);
    } catch (error) {
      // A server that is away, older than this page, or that lets it only read: cells then say that no page told.
      if (!(error instanceof RequestError)) {
        throw error;
      }
      this._told = '';
    }
  }

  private _zone(): string {
    return (this._options.zone ?? browserZone)();
  }

  private _kernels(): string[] {
    const ids = new Set<string>();
    this._options.tracker?.forEach(({ sessionContext }) => {
      const id = sessionContext.session?.kernel?.id;
      if (id) {
        ids.add(id);
      }
    });
    return [...ids].slice(0, MOST_KERNELS);
  }

  /** The latest page counts, and this may be a computer that has come to another zone. */
  private readonly _onFocus = (): void => {
    const age = this._options.connection.clock.monotonic() - this._toldAt;
    if (age > FRESH_MS || this._told !== JSON.stringify([this._zone(), this._kernels()])) {
      this._soon();
    }
  };

  private readonly _onLeave = (): void => {
    window.clearTimeout(this._timer);
    this._told = '';
    // A server that does not hear it forgets this page in time.
    tellZone(this._options.connection, { page: this._page }).catch(() => undefined);
  };

  private readonly _options: IPageZoneOptions;
  private readonly _page = UUID.uuid4();
  private _timer = 0;
  private _toldAt = Number.NEGATIVE_INFINITY;
  private _told = '';
  private _isDisposed = false;
}

import type { Event, ServerConnection } from '@jupyterlab/services';
import { EventManager } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/**
 * The server's events, by a connection that tells when it is there again.
 *
 * JupyterLab's own tells nobody, so that what was announced while it was cut off (a server that
 * restarts, a proxy that closes idle connections) is lost; and in a hidden tab it stays cut off.
 */
export class Events implements IDisposable {
  constructor(settings: ServerConnection.ISettings) {
    const opened = this._opened;
    class Socket extends settings.WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        this.addEventListener('open', () => opened.emit());
      }
    }
    this._manager = new EventManager({
      serverSettings: { ...settings, WebSocket: Socket },
      standby: 'never'
    });
  }

  /** Emits each event. */
  get stream(): ISignal<unknown, Event.Emission> {
    return this._manager.stream;
  }

  /** Emits when events come from now on; those before may have been missed. */
  get opened(): ISignal<unknown, void> {
    return this._opened;
  }

  get isDisposed(): boolean {
    return this._manager.isDisposed;
  }

  dispose(): void {
    this._manager.dispose();
    Signal.clearData(this);
  }

  private readonly _opened = new Signal<this, void>(this);
  private readonly _manager: EventManager;
}

import type { Event, ServerConnection } from '@jupyterlab/services';
import { EventManager } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

/**
 * The server's events, by a connection that tells when it is lost and when it is there again.
 *
 * JupyterLab's own tells nobody, so that what was announced while it was cut off (a server that
 * restarts, a proxy that closes idle connections) is lost; and in a hidden tab it stays cut off.
 */
export class Events {
  constructor(settings: ServerConnection.ISettings) {
    const { turned } = this;
    class Socket extends settings.WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        this.addEventListener('open', () => {
          turned.emit(true);
          // One that never was there cannot be lost: where events cannot be had, each try would count as a loss.
          this.addEventListener('close', () => turned.emit(false));
        });
      }
    }
    this._manager = new EventManager({
      serverSettings: { ...settings, WebSocket: Socket },
      standby: 'never'
    });
    this.stream = this._manager.stream;
  }

  /** Emits each event. */
  readonly stream: ISignal<unknown, Event.Emission>;

  /** Emits true when events come from now on (those before may have been missed), and false when they no longer do. */
  readonly turned = new Signal<this, boolean>(this);

  dispose(): void {
    this._manager.dispose();
    Signal.clearData(this);
  }

  private readonly _manager: EventManager;
}

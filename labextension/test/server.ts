import { ServerConnection } from '@jupyterlab/services';

import type { IConnection } from '../src/api/request';
import type { IClock } from '../src/model/serverTime';

export const BASE = 'http://jupyter.test/user/someone/';

export type Answer = Response | Error | Promise<Response>;

/** A Jupyter server that answers as told, and remembers what it was asked. */
export class FakeServer {
  readonly requests: Request[] = [];
  /** What is answered to a request, by its path below the base URL, without the cache buster. */
  answer: (path: string, request: Request) => Answer;

  constructor(answer: (path: string, request: Request) => Answer) {
    this.answer = answer;
  }

  get paths(): string[] {
    return this.requests.map(request => pathOf(request));
  }

  connection(clock: IClock = { monotonic: () => performance.now(), wall: () => Date.now() }): IConnection {
    return { settings: this.settings(), clock };
  }

  settings(options: Partial<ServerConnection.ISettings> = {}): ServerConnection.ISettings {
    const fetch = async (input: RequestInfo | URL): Promise<Response> => {
      const request = input as Request;
      this.requests.push(request);
      const aborted = new Promise<never>((_, reject) => {
        const fail = () => reject(new TypeError('aborted'));
        request.signal.addEventListener('abort', fail);
        if (request.signal.aborted) {
          fail();
        }
      });
      const answer = this.answer(pathOf(request), request);
      if (answer instanceof Error) {
        throw answer;
      }
      return Promise.race([answer, aborted]);
    };
    return ServerConnection.makeSettings({ baseUrl: BASE, token: '', fetch, ...options });
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

/** The server's end of a page's connection for events, which a test opens, uses and cuts. */
export class FakeSocket extends EventTarget {
  static made: FakeSocket[] = [];
  onclose: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  readonly close = jest.fn();

  constructor(readonly url: string) {
    super();
    FakeSocket.made.push(this);
  }

  open(): void {
    this.dispatchEvent(new window.Event('open'));
  }

  send(event: object): void {
    this.onmessage?.({ data: JSON.stringify(event) });
  }

  cut(): void {
    this.dispatchEvent(new window.Event('close'));
    this.onclose?.();
  }
}

/** An answer that never comes. */
export function silence(): Promise<Response> {
  return new Promise(() => undefined);
}

function pathOf(request: Request): string {
  // JupyterLab appends the time to each URL, against caches.
  return request.url.replace(BASE, '').replace(/[?&][0-9]+$/, '');
}

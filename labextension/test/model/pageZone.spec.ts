import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';

import { PageZone } from '../../src/model/pageZone';
import { FakeServer, json } from '../server';

interface ITold {
  page: string;
  zone?: string;
  kernels?: string[];
}

class FakePanel {
  readonly kernelChanged = new Signal<this, unknown>(this);
  readonly disposed = new Signal<this, void>(this);
  constructor(public kernel: string | null) {}
  get sessionContext() {
    return {
      kernelChanged: this.kernelChanged,
      session: this.kernel ? { kernel: { id: this.kernel } } : null
    };
  }
}

/** The notebooks of a page, as JupyterLab's tracker tells of them. */
class FakeTracker {
  readonly widgetAdded = new Signal<this, NotebookPanel>(this);
  readonly panels: FakePanel[] = [];
  forEach(visit: (panel: FakePanel) => void): void {
    this.panels.forEach(visit);
  }
  open(panel: FakePanel): void {
    this.panels.push(panel);
    this.widgetAdded.emit(panel as unknown as NotebookPanel);
  }
  close(panel: FakePanel): void {
    this.panels.splice(this.panels.indexOf(panel), 1);
    panel.disposed.emit();
  }
}

let server: FakeServer;
let tracker: FakeTracker;
let zone: string;
let teller: PageZone;

async function told(): Promise<ITold[]> {
  return Promise.all(server.requests.map(async request => (await request.clone().json()) as ITold));
}

function start(): PageZone {
  teller = new PageZone({
    connection: server.connection({ monotonic: () => Date.now(), wall: () => Date.now() }),
    tracker: tracker as unknown as INotebookTracker,
    zone: () => zone
  });
  return teller;
}

beforeEach(() => {
  jest.useFakeTimers();
  server = new FakeServer(() => json({ expires_in: 10_800 }));
  tracker = new FakeTracker();
  zone = 'Asia/Shanghai';
});

afterEach(() => {
  teller.dispose();
  jest.useRealTimers();
});

describe('the zone of a page', () => {
  it('is told once for all the notebooks that are opened together', async () => {
    tracker.panels.push(new FakePanel('k1'));
    start();
    tracker.open(new FakePanel('k2'));
    tracker.open(new FakePanel(null));
    await jest.advanceTimersByTimeAsync(1000);
    expect(server.paths).toEqual(['jupyter-autostop/zone']);
    expect(await told()).toMatchObject([{ zone: 'Asia/Shanghai', kernels: ['k1', 'k2'] }]);
    expect(server.requests[0]?.method).toBe('POST');
  });

  it('is told again as notebooks come and go, by the same page', async () => {
    const first = new FakePanel('k1');
    tracker.panels.push(first);
    start();
    await jest.advanceTimersByTimeAsync(1000);
    first.kernel = 'k9';
    first.kernelChanged.emit(null);
    await jest.advanceTimersByTimeAsync(1000);
    tracker.close(first);
    await jest.advanceTimersByTimeAsync(1000);
    const all = await told();
    expect(all.map(({ kernels }) => kernels)).toEqual([['k1'], ['k9'], []]);
    expect(new Set(all.map(({ page }) => page)).size).toBe(1);
  });

  it('is told again before the server forgets it, and seldom', async () => {
    start();
    await jest.advanceTimersByTimeAsync(10_700_000);
    expect(server.requests.length).toBe(2);
    await jest.advanceTimersByTimeAsync(24 * 3_600_000);
    expect(server.requests.length).toBeLessThanOrEqual(15);
  });

  it('is told to a page’s reader who comes back, and at once where it has changed', async () => {
    start();
    await jest.advanceTimersByTimeAsync(1000);
    window.dispatchEvent(new Event('focus'));
    await jest.advanceTimersByTimeAsync(1000);
    expect(server.requests.length).toBe(1);
    zone = 'Europe/Berlin';
    window.dispatchEvent(new Event('focus'));
    await jest.advanceTimersByTimeAsync(1000);
    await jest.advanceTimersByTimeAsync(301_000);
    window.dispatchEvent(new Event('focus'));
    await jest.advanceTimersByTimeAsync(1000);
    expect((await told()).map(one => one.zone)).toEqual(['Asia/Shanghai', 'Europe/Berlin', 'Europe/Berlin']);
  });

  it('is taken back as the page closes, and told again when the browser brings it back', async () => {
    start();
    await jest.advanceTimersByTimeAsync(1000);
    window.dispatchEvent(new Event('pagehide'));
    await jest.advanceTimersByTimeAsync(1000);
    window.dispatchEvent(new Event('pageshow'));
    await jest.advanceTimersByTimeAsync(1000);
    expect((await told()).map(one => one.zone)).toEqual(['Asia/Shanghai', undefined, 'Asia/Shanghai']);
    expect(server.requests[1]?.keepalive).toBe(true);
  });

  it('is not told to a server that does not take it, until there is reason to try again', async () => {
    server.answer = () => json({ message: 'No.', code: 'not_authorized' }, 403);
    start();
    await jest.advanceTimersByTimeAsync(24 * 3_600_000);
    const asked = server.paths.filter(path => path === 'jupyter-autostop/zone');
    expect(asked.length).toBe(1);
    expect(server.paths).toContain('api/me?no_track_activity=1');
  });

  it('is told of a page without notebooks too, and by none that is gone', async () => {
    teller = new PageZone({ connection: server.connection(), tracker: null, zone: () => zone });
    teller.dispose();
    await jest.advanceTimersByTimeAsync(10_000);
    window.dispatchEvent(new Event('focus'));
    await jest.advanceTimersByTimeAsync(10_000);
    expect(server.requests.length).toBe(0);
    teller = new PageZone({ connection: server.connection(), tracker: null, zone: () => zone });
    await jest.advanceTimersByTimeAsync(1000);
    expect(await told()).toMatchObject([{ zone: 'Asia/Shanghai', kernels: [] }]);
  });
});

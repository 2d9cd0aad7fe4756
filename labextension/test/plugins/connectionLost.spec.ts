import type { ServiceManager } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';

import { sayingItHasStopped } from '../../src/plugins/connectionLost';
import type { IAutostopModel, ISituation } from '../../src/tokens';
import { endingIn, MINUTE, NOON, situationOf, words } from '../samples';

const LOST = { kind: 'lost', message: 'No answer.', hint: 'It is tried again.' } as const;
const manager = {} as ServiceManager.IManager;
const error = new ServerConnection.NetworkError(new TypeError('Failed to fetch'));

/** A handler before a model that is in `situation` once it has asked. */
class Bench {
  constructor(situation: ISituation) {
    const model = { refresh: this.refresh, situation: () => situation } as unknown as IAutostopModel;
    this.handle = sayingItHasStopped(model, words, { insist: this.insist }, this.otherwise);
  }

  readonly refresh = jest.fn(() => Promise.resolve());
  readonly insist = jest.fn<Promise<unknown>, [string, string]>(() => Promise.resolve());
  readonly otherwise = jest.fn(() => Promise.resolve());
  readonly handle;
}

describe('a connection that is lost', () => {
  it('past the stop time is told as the end of the instance, once', async () => {
    const bench = new Bench(situationOf({ state: endingIn(0), now: NOON + MINUTE, link: LOST }));
    await bench.handle(manager, error);
    await bench.handle(manager, error);
    expect(bench.refresh).toHaveBeenCalledTimes(2);
    expect(bench.insist.mock.calls).toEqual([
      ['The instance has stopped', expect.stringContaining('/home/ma-user/work are kept')]
    ]);
    expect(bench.otherwise).not.toHaveBeenCalled();
  });

  it.each([
    ['before the stop time', situationOf({ link: LOST })],
    ['that is there again', situationOf({ state: endingIn(0), now: NOON + MINUTE })],
    ['of which nothing is known', situationOf({ state: null, link: LOST })]
  ])('%s is told as JupyterLab does', async (_, situation) => {
    const bench = new Bench(situation);
    await bench.handle(manager, error);
    expect(bench.otherwise).toHaveBeenCalledWith(manager, error, undefined);
    expect(bench.insist).not.toHaveBeenCalled();
  });
});

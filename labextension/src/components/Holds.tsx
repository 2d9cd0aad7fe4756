import React from 'react';

import { dayTime } from '../format/moments';
import { endingBrings } from '../view/endingHold';
import { Button, Hint } from './controls';
import type { IPart } from './hooks';
import { useWrite, yes } from './hooks';

/** The id of the hold that an extension is, where this server keeps it. */
const EXTENSION = 'extension';

/** What keeps the instance running, each with its owner and a way to end it. */
export function Holds(part: IPart): React.JSX.Element {
  const { model, words, situation, state, blocked, blockedBy, ask } = part;
  const { trans } = words;
  const { holds } = state;
  // Of one that is gone there is nothing left to do, and nothing that would take back why it was not ended.
  const write = useWrite(part, holds.length > 0);
  const owners = {
    person: trans.__('hand'),
    kernel: trans.__('a kernel'),
    command: trans.__('a command')
  };
  return (
    <>
      {holds.map(({ id, until, then, reason, owner }) => {
        const day = dayTime(until, situation.now, words);
        const kept =
          id === EXTENSION
            ? trans.__('Extended until %1', day)
            : trans.__('Kept running by %1 until %2', owners[owner.kind], day);
        const what = reason ? `${kept}: ${reason}` : kept;
        const label = trans.__('End');
        const brings = endingBrings(state, id, situation.now, words);
        const plan = {
          title: trans.__('End it now?'),
          body: `${what}. ${brings}`,
          accept: label,
          grave: true,
          run: () => model.endHold(id)
        };
        return (
          <div key={id} className="jp-AutostopCard-part">
            {what}
            {then === 'stop' && ` · ${trans.__('then it stops')}`}{' '}
            <Button
              label={label}
              name={`${label}: ${what}`}
              off={!!blocked || write.busy}
              by={blocked && blockedBy}
              // Where it brings no stop nearer, a click is enough.
              onClick={() => void write.plan(plan, brings ? ask : yes)}
            />
          </div>
        );
      })}
      <Hint text={write.said} live />
    </>
  );
}

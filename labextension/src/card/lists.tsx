import React, { useEffect, useState } from 'react';

import { dayTime } from '../details';
import { endingBrings } from '../holds';
import type { IJournalEntry } from '../tokens';
import { Button, Hint } from './control';
import type { IPart } from './part';
import { useWrite, yes } from './part';

/** The id of the hold that an extension is, where this server keeps it. */
const EXTENSION = 'extension';
/** The last changes that are shown. */
const SHOWN = 8;

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

/** The last changes made from here; read when somebody wants to see them, and again when something changes. */
export function Journal({ model, words, situation }: Omit<IPart, 'state'>): React.JSX.Element {
  const { trans } = words;
  const [open, setOpen] = useState(false);
  const [entries, setEntries] = useState<IJournalEntry[]>([]);
  const [said, say] = useState('');
  const { state } = situation;
  useEffect(() => {
    let gone = !open;
    if (open) {
      model.journal().then(
        list => {
          if (!gone) {
            setEntries(list.slice(0, SHOWN));
            say(list.length > 0 ? '' : trans.__('Nothing was changed from here yet.'));
          }
        },
        (problem: unknown) => {
          if (!gone) {
            // An error, or what `link` would say: a sentence either way.
            say((problem as Error).message);
          }
        }
      );
    }
    return () => {
      gone = true;
    };
  }, [open, model, trans, state]);
  return (
    <details onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Last changes')}</summary>
      {entries.map(({ at, who, what, result }, index) => (
        <p key={index}>
          <b>{dayTime(at, situation.now, words)}</b> {who}: {what}. {result}
        </p>
      ))}
      <Hint text={said} live />
    </details>
  );
}

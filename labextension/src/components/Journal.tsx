import React, { useEffect, useState } from 'react';

import type { IJournalEntry } from '../api/types';
import { dayTime } from '../format/moments';
import { Hint } from './controls';
import type { IPart } from './hooks';

/** The last changes that are shown. */
const SHOWN = 8;

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

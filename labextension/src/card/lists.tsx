import * as React from 'react';

import { dayTime } from '../details';
import type { IHold, IJournalEntry } from '../tokens';
import { Button, Said } from './control';
import type { IPart } from './part';
import { useWrite } from './part';

/** The last changes that are shown. */
const SHOWN = 8;

/** What keeps the instance running, each with its owner and a way to end it. */
export function Holds({ model, words, situation, state, blocked, blockedBy }: IPart): React.JSX.Element {
  const { trans } = words;
  const write = useWrite(words);
  const owner = (hold: IHold): string => {
    switch (hold.owner.kind) {
      case 'person':
        return trans.__('a person');
      case 'kernel':
        return trans.__('a kernel');
      case 'command':
        return trans.__('a command');
    }
  };
  return (
    <>
      {state.holds.length > 0 && (
        <div className="jp-AutostopCard-part">
          <b>{trans.__('Kept running')}</b>
          <ul>
            {state.holds.map(hold => {
              const what = trans.__('by %1 until %2', owner(hold), dayTime(hold.until, situation.now, words));
              return (
                <li key={hold.id}>
                  <span>
                    {what}
                    {hold.reason ? `: ${hold.reason}` : ''}
                    {hold.then === 'stop' ? ` · ${trans.__('then it stops')}` : ''}
                  </span>
                  <Button
                    label={trans.__('End')}
                    name={`${trans.__('End')}: ${hold.reason ?? what}`}
                    why={blocked}
                    by={blocked && blockedBy}
                    onClick={() => void write.run(model.endHold(hold.id))}
                  />
                </li>
              );
            })}
          </ul>
        </div>
      )}
      <Said text={write.said} />
    </>
  );
}

/** The last changes made from here; read when somebody wants to see them. */
export function Journal({
  model,
  words,
  situation
}: Pick<IPart, 'model' | 'words' | 'situation'>): React.JSX.Element {
  const { trans } = words;
  const [open, setOpen] = React.useState(false);
  const [entries, setEntries] = React.useState<IJournalEntry[]>([]);
  const [said, say] = React.useState('');
  React.useEffect(() => {
    if (!open) {
      return;
    }
    let gone = false;
    const read = (): void => {
      model.journal().then(
        list => {
          if (!gone) {
            setEntries(list.slice(0, SHOWN));
            say(list.length > 0 ? '' : trans.__('Nothing was changed from here yet.'));
          }
        },
        (error: unknown) => {
          if (!gone) {
            // An error, or what `link` would say.
            say((error as Partial<Error> | null)?.message ?? trans.__('It cannot be read now.'));
          }
        }
      );
    };
    read();
    model.changed.connect(read);
    return () => {
      gone = true;
      model.changed.disconnect(read);
    };
  }, [open, model, trans]);
  return (
    <details onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trans.__('Last changes')}</summary>
      <ul>
        {entries.map(({ at, who, what, result }, index) => (
          <li key={index}>
            <span>
              <b>{dayTime(at, situation.now, words)}</b> {who}: {what}. {result}
            </span>
          </li>
        ))}
      </ul>
      <Said text={said} />
    </details>
  );
}

import * as React from 'react';

import { formatDuration } from '../duration';
import type { IChange } from '../tokens';
import { typedLength } from '../wish';
import { Button, Field, Hint, Said, useQuestion } from './control';
import type { IPart } from './part';
import { useWrite } from './part';

/** Auto-stop off and on, reminders, and the run length at each start: what stays beyond this run. */
export function Settings({ model, words, state, blocked, blockedBy, ask }: IPart): React.JSX.Element | null {
  const { trans } = words;
  const [offers, setOffers] = React.useState(false);
  const [length, setLength] = React.useState('');
  const [typed, setTyped] = React.useState<string | null>(null);
  const change = useWrite(words);
  const later = useWrite(words);
  const ownId = React.useId();
  const id = blocked ? blockedBy : ownId;
  const { auto_stop, deadline, next_start, limits } = state;
  // A run that this server stops has auto-stop off at the platform, and stops all the same.
  const on = deadline?.kept_by === 'server' || auto_stop?.enable === true;

  const set = (auto: IChange['auto_stop'] & object): void => {
    void change.run(model.change({ auto_stop: auto })).then(({ refusal }) => {
      if (!refusal) {
        setOffers(false);
        setLength('');
      }
    });
  };
  const off = useQuestion(
    {
      title: trans.__('Turn auto-stop off?'),
      body: trans.__(
        'Nothing stops this instance then: it runs, and costs money hour after hour, day and night, until you stop it yourself.'
      ),
      accept: trans.__('Turn off'),
      cancel: trans.__('Leave it on')
    },
    () => set({ enable: false }),
    ask
  );
  if (!auto_stop) {
    return null;
  }

  const why = blocked || (on && !limits.can_disable ? (limits.why_not.disable ?? '') : '');
  const typedOn = length.trim() ? typedLength(length, limits, words) : null;
  const present = auto_stop.duration === null ? '' : formatDuration(auto_stop.duration);
  const wanted = typed === null ? null : typedLength(typed, limits, words);
  const waits = next_start?.enable === on && on !== (deadline !== null);
  return (
    <div className="jp-AutostopCard-part">
      <div className="jp-AutostopCard-row">
        <button
          role="switch"
          aria-checked={on}
          aria-disabled={!!why || change.busy}
          aria-describedby={why ? id : undefined}
          className="jp-AutostopCard-switch"
          type="button"
          title={why}
          onClick={() => {
            if (!why && !change.busy) {
              change.say('');
              if (on) {
                off.put();
              } else {
                setOffers(!offers);
              }
            }
          }}
        >
          {trans.__('Auto-stop')}
        </button>
        <span>
          {on ? trans.__('on') : trans.__('off')}
          {waits ? ` · ${trans.__('from the next start')}` : ''}
        </span>
      </div>
      <Hint id={id} text={blocked ? '' : why} bad />
      {on && off.asked}
      {offers && !on && !why && (
        <div role="group" aria-label={trans.__('Turn on')}>
          <p>{trans.__('Turn on, with a run of:')}</p>
          <div className="jp-AutostopCard-row">
            {[1, 2, 4, 6].map(hours => (
              <Button
                key={hours}
                label={trans.__('%1 h', hours)}
                focus={hours === 1}
                onClick={() => set({ enable: true, duration: hours * 3600 })}
              />
            ))}
          </div>
          <Field
            label={trans.__('Another length')}
            placeholder={trans.__('2h30m')}
            value={length}
            onChange={setLength}
            action={trans.__('Turn on')}
            onAction={() => typedOn?.seconds && set({ enable: true, duration: typedOn.seconds })}
            hint={typedOn?.text ?? ''}
            bad={typedOn?.seconds === null}
            ready={!!typedOn}
            why=""
            by={id}
          />
        </div>
      )}
      <Said text={change.said} />
      <label className="jp-AutostopCard-check">
        <input
          type="checkbox"
          checked={auto_stop.prompt !== false}
          disabled={!!blocked || change.busy}
          onChange={event => set({ prompt: event.target.checked })}
        />
        {auto_stop.prompt === false ? trans.__('Reminders are off') : trans.__('Reminders')}
      </label>
      <Field
        label={trans.__('Run length at each start')}
        value={typed ?? present}
        onChange={text => {
          setTyped(text === present ? null : text);
          later.say('');
        }}
        action={trans.__('Save')}
        onAction={() => {
          if (wanted?.seconds) {
            void later.run(model.change({ auto_stop: { duration: wanted.seconds } })).then(({ refusal }) => {
              if (!refusal) {
                setTyped(null);
              }
            });
          }
        }}
        hint={
          !wanted
            ? trans.__('Counts from the next start.')
            : wanted.text ||
              trans.__('From the next start: auto-stop after %1.', formatDuration(wanted.seconds ?? 0))
        }
        bad={wanted?.seconds === null}
        ready={!!wanted}
        why={blocked}
        by={id}
      />
      <Said text={later.said} />
    </div>
  );
}

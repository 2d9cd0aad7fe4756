import React, { useId, useState } from 'react';

import { counted, isOn, planOff, planOn } from '../commands/confirmations';
import { typedLength } from '../commands/extendInput';
import { formatDuration } from '../format/duration';
import type { IResult } from '../tokens';
import { Button, Field, Hint } from './controls';
import type { IPart, IWrite } from './hooks';
import { useWrite, yes } from './hooks';

/** Auto-stop off and on, reminders, and the run length at each start: what stays beyond this run. */
export function Settings(part: IPart): React.JSX.Element | null {
  const { model, words, state, blocked, blockedBy, ask } = part;
  const { trans } = words;
  const [offers, setOffers] = useState(false);
  const write = useWrite(part);
  const reminders = useWrite(part);
  const length = useWrite(part);
  const ownId = useId();
  const id = blocked ? blockedBy : ownId;
  const { auto_stop, deadline, next_start, limits } = state;
  if (!auto_stop) {
    return null;
  }

  const on = isOn(state);
  const why = blocked || (limits.why_not[on ? 'disable' : 'enable'] ?? '');
  const later = next_start?.enable === on && on !== !!deadline;
  const turnOn = async (wanted: number): Promise<IResult | null> => {
    const result = await write.plan(planOn({ duration: wanted }, model, words), yes);
    setOffers(!!result?.refusal);
    return result;
  };
  const { prompt, duration } = auto_stop;
  const about = trans.__("ModelArts' own notice before the stop (its setting “prompt”).");
  return (
    <div className="jp-AutostopCard-part">
      <div className="jp-AutostopCard-row">
        <button
          role="switch"
          type="button"
          aria-checked={on}
          aria-disabled={!!why || write.busy}
          aria-describedby={why && id}
          className="jp-AutostopCard-switch"
          onClick={() => {
            if (!why && !write.busy) {
              write.say('');
              setOffers(!on && !offers);
              if (on) {
                void write.plan(planOff({}, model, words), ask);
              }
            }
          }}
        >
          {trans.__('Auto-stop')}
        </button>
        {!on
          ? trans.__('off')
          : auto_stop.enable === false
            ? trans.__('on, by this server; off at ModelArts')
            : trans.__('on')}
        {later && ` · ${trans.__('from the next start')}`}
      </div>
      <Hint id={ownId} text={blocked ? '' : why} bad />
      {offers && !on && (
        <div role="group" aria-label={trans.__('Turn on')}>
          <div className="jp-AutostopCard-row">
            {[1, 2, 4, 6].map(hours => (
              <Button key={hours} label={trans.__('%1 h', hours)} onClick={() => void turnOn(3600 * hours)} />
            ))}
          </div>
          <Hint text={counted(words)} />
          <Length
            {...part}
            label={trans.__('Another run length')}
            action={trans.__('Turn on')}
            act={turnOn}
            write={write}
          />
        </div>
      )}
      <Hint text={write.said} live />
      <label className="jp-AutostopCard-check" title={about}>
        <input
          type="checkbox"
          title={about}
          checked={prompt !== false}
          disabled={!!blocked}
          onChange={event =>
            void reminders.run(model.change({ auto_stop: { prompt: event.target.checked } }))
          }
        />
        {trans.__('Reminders by ModelArts')}
      </label>
      <Hint text={prompt === false ? trans.__('Reminders are off.') : ''} />
      <Hint text={reminders.said} live />
      <Length
        {...part}
        label={trans.__('Run length at each start')}
        present={duration === null ? '' : formatDuration(duration)}
        // Beside a refusal it would read as done.
        meaning={wanted =>
          length.said
            ? ''
            : wanted
              ? trans.__('From the next start: auto-stop after %1.', formatDuration(wanted))
              : trans.__('Counts from the next start.')
        }
        action={trans.__('Set')}
        act={wanted => length.run(model.change({ auto_stop: { duration: wanted } }))}
        write={length}
      />
      <Hint text={length.said} live />
    </div>
  );
}

interface ILength extends IPart {
  label: string;
  present?: string;
  meaning?: (duration: number | null) => string;
  action: string;
  act: (duration: number) => Promise<IResult | null>;
  /** What came of the last, which is taken back when something else is typed. */
  write: IWrite;
}

/** A field for the length of a run. */
function Length(part: ILength): React.JSX.Element {
  const { label, present = '', meaning, action, act, write, words, state, blocked, blockedBy } = part;
  const [typed, setTyped] = useState<string | null>(null);
  const wanted = typed?.trim() ? typedLength(typed, state.limits, words) : null;
  const seconds = wanted?.seconds ?? null;
  return (
    <Field
      label={label}
      placeholder={words.trans.__('2h30m')}
      value={typed ?? present}
      onChange={text => {
        setTyped(text === present ? null : text);
        write.say('');
      }}
      action={action}
      onAction={() =>
        void act(seconds ?? 0).then(result => {
          if (!result?.refusal) {
            setTyped(null);
          }
        })
      }
      hint={wanted && !seconds ? wanted.text : (meaning?.(seconds) ?? '')}
      bad={!!wanted && !seconds}
      ready={!!wanted}
      why={blocked}
      by={blockedBy}
    />
  );
}

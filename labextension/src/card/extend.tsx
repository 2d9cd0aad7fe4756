import * as React from 'react';

import { moreTime, typedWish } from '../wish';
import { Button, Field, Hint, Said } from './control';
import type { IPart } from './part';
import { extensionText, useWrite } from './part';

/** More time for this run: by a press, by an amount or by the clock. */
export function Extend({ model, words, situation, state, blocked, blockedBy }: IPart): React.JSX.Element {
  const { trans } = words;
  const [typed, setTyped] = React.useState('');
  const write = useWrite(words);
  const ownId = React.useId();
  const id = blocked ? blockedBy : ownId;
  const { can_extend, why_not } = state.limits;
  const why = blocked || (can_extend ? '' : (why_not.extend ?? trans.__('This run cannot be extended.')));
  const typing = typed.trim() !== '';
  const wish = typing ? typedWish(typed, situation, words) : null;
  const bad = wish !== null && wish.by === null && wish.until === null;

  const extend = (by: number | null, until: number | null): void => {
    const asked = by === null ? model.extendUntil(until ?? 0) : model.extendBy(by);
    void write
      .run(asked, result => extensionText(result, model.situation(), words))
      .then(result => {
        if (!result.refusal) {
          setTyped(now => (now === typed ? '' : now));
        }
      });
  };
  const submit = (): void => {
    // Seen from now: a clock time may have passed since it was typed.
    const { by, until, text } = typedWish(typed, model.situation(), words);
    if (by === null && until === null) {
      write.say(text);
    } else {
      extend(by, until);
    }
  };

  const presses = [1, 4].map(hours => ({ hours, wish: moreTime(hours * 3600, situation, words) }));
  const reason = why || (presses.find(press => press.wish.by === null)?.wish.text ?? '');
  return (
    <div className="jp-AutostopCard-part">
      <div className="jp-AutostopCard-row">
        {presses.map(press => (
          <Button
            key={press.hours}
            label={trans.__('Extend %1 h', press.hours)}
            look="accept"
            why={why || (press.wish.by === null ? press.wish.text : undefined)}
            by={reason ? id : undefined}
            title={press.wish.text}
            onClick={() => extend(press.hours * 3600, null)}
          />
        ))}
      </div>
      <Hint id={id} text={blocked ? '' : reason} bad />
      <Field
        label={trans.__('By how long, or until when')}
        placeholder={trans.__('2h30m or 18:00')}
        value={typed}
        onChange={text => {
          setTyped(text);
          write.say('');
        }}
        action={trans.__('Extend')}
        onAction={submit}
        hint={wish?.text ?? ''}
        bad={bad}
        ready={typing}
        why={why}
        by={id}
      />
      <Said text={write.said} />
    </div>
  );
}

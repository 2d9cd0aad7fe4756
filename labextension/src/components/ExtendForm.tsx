import React, { useState } from 'react';

import type { IWish } from '../commands/extendInput';
import { moreTime, typedWish } from '../commands/extendInput';
import { Button, Field, Hint } from './controls';
import type { IPart } from './hooks';
import { extensionText, reasonOf, useWrite } from './hooks';

/** More time for this run: by a press, by an amount or by the clock. */
export function Extend({ model, words, situation, state, blocked, blockedBy }: IPart): React.JSX.Element {
  const { trans } = words;
  const [typed, setTyped] = useState('');
  const write = useWrite({ model, words });
  const ownId = reasonOf(blockedBy);
  const id = blocked ? blockedBy : ownId;
  const why = blocked || (state.limits.can_extend ? '' : moreTime(1, situation, words).text);
  const wish = typed.trim() ? typedWish(typed, situation, words) : null;

  const extend = async ({ by, until, text }: IWish): Promise<void> => {
    const asked = by ? model.extendBy(by) : until && model.extendUntil(until);
    if (!asked) {
      write.say(text);
      return;
    }
    const { refusal } = await write.run(asked, result => extensionText(result, model.situation(), words));
    if (!refusal) {
      setTyped(now => (now === typed ? '' : now));
    }
  };

  const presses = [1, 4].map(hours => ({ hours, wish: moreTime(3600 * hours, situation, words) }));
  const reason = why || (presses.find(press => !press.wish.by)?.wish.text ?? '');
  return (
    <div className="jp-AutostopCard-part">
      <div className="jp-AutostopCard-row">
        {presses.map(press => (
          <Button
            key={press.hours}
            label={trans.__('Extend %1 h', press.hours)}
            look="jp-mod-accept"
            off={!!blocked || !press.wish.by}
            by={reason && id}
            title={press.wish.text}
            onClick={() => void extend(press.wish)}
          />
        ))}
      </div>
      <Hint id={ownId} text={blocked ? '' : reason} bad />
      <Field
        label={trans.__('By how long, or until when')}
        placeholder={trans.__('2h30m or 18:00')}
        value={typed}
        onChange={text => {
          setTyped(text);
          write.say('');
        }}
        action={trans.__('Extend')}
        // Seen from now: a clock time may have passed since it was typed.
        onAction={() => void extend(typedWish(typed, model.situation(), words))}
        hint={wish?.text ?? ''}
        bad={!!wish && !wish.by && !wish.until}
        ready={!!wish}
        why={why}
        by={id}
      />
      <Hint text={write.said} live />
    </div>
  );
}

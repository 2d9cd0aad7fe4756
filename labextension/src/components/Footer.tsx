import React, { useId, useState } from 'react';

import type { IState } from '../api/types';
import { planStop } from '../commands/confirmations';
import { Button, Hint } from './controls';
import type { IPart } from './hooks';
import { reasonOf, useWrite } from './hooks';

/** To look again, and to end the run. */
export function Foot(part: Omit<IPart, 'state'> & { state: IState | null }): React.JSX.Element {
  const { model, words, state, blocked, blockedBy, ask } = part;
  const { trans } = words;
  const write = useWrite(part);
  const [asking, setAsking] = useState(false);
  const id = useId();
  const refresh = async (): Promise<void> => {
    setAsking(true);
    write.say('');
    await model.refresh(true);
    const { state: now, link } = model.situation();
    setAsking(false);
    write.say(link?.message ?? now?.problem?.message ?? trans.__('Confirmed just now.'));
    // Soon it is no longer so; the head goes on telling.
    window.setTimeout(() => write.say(''), 5000);
  };
  const { stop: why = '', extend } = state?.limits.why_not ?? {};
  // Said once, beside the first of them.
  const said = blocked ? blockedBy : why === extend && reasonOf(blockedBy);
  return (
    <div className="jp-AutostopCard-part">
      <div className="jp-AutostopCard-row">
        <Button
          label={asking ? trans.__('Asking…') : trans.__('Refresh')}
          off={asking}
          onClick={() => void refresh()}
        />
        {state && (
          <Button
            label={trans.__('Stop now')}
            look="jp-mod-warn"
            off={!!blocked || !!why}
            by={said || id}
            onClick={() => void write.plan(planStop({}, model, words), ask)}
          />
        )}
      </div>
      <Hint id={id} text={said ? '' : why} bad />
      <Hint text={write.said} live />
    </div>
  );
}

import * as React from 'react';

import type { IState } from '../tokens';
import { Button, Hint, Said, useQuestion } from './control';
import type { IPart } from './part';
import { useWrite } from './part';

type IFoot = Omit<IPart, 'state'> & { state: IState | null };

/** To look again, and to end the run. */
export function Foot({ model, words, state, blocked, blockedBy, ask }: IFoot): React.JSX.Element {
  const { trans } = words;
  const write = useWrite(words);
  const [asking, setAsking] = React.useState(false);
  const id = React.useId();
  const stop = useQuestion(
    {
      title: trans.__('Stop the instance now?'),
      body: trans.__(
        'Every kernel and terminal ends, and what is not saved is lost. Only files below /home/ma-user/work are there after the next start.'
      ),
      accept: trans.__('Stop the instance'),
      cancel: trans.__('Keep it running')
    },
    () => void write.run(model.stop()),
    ask
  );
  const refresh = async (): Promise<void> => {
    if (asking) {
      return;
    }
    setAsking(true);
    write.say('');
    await model.refresh(true);
    const { state: now, link } = model.situation();
    setAsking(false);
    write.say(link?.message ?? now?.problem?.message ?? trans.__('Confirmed just now.'));
  };
  const why = state && (blocked || (state.limits.can_stop ? '' : (state.limits.why_not.stop ?? '')));
  return (
    <div className="jp-AutostopCard-part">
      <div className="jp-AutostopCard-row">
        <Button label={asking ? trans.__('Asking…') : trans.__('Refresh')} onClick={() => void refresh()} />
        {state && (
          <Button
            label={trans.__('Stop now')}
            look="warn"
            why={why ?? ''}
            by={blocked ? blockedBy : why ? id : undefined}
            onClick={stop.put}
          />
        )}
      </div>
      <Hint id={id} text={blocked ? '' : (why ?? '')} bad />
      {stop.asked}
      <Said text={write.said} />
    </div>
  );
}

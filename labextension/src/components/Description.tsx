import React, { useId } from 'react';

import { descriptionFault } from '../commands/confirmations';
import { Button, Hint } from './controls';
import { draftOf } from './draft';
import type { IPart } from './hooks';
import { useChanges, useWrite } from './hooks';

/** The description, edited without ever overwriting what is being typed or what others wrote. */
export function Description({ model, words, state, blocked }: IPart): React.JSX.Element {
  const { trans } = words;
  const draft = draftOf(model);
  useChanges(draft);
  const write = useWrite({ model, words });
  const id = useId();
  const { value } = draft;
  const { limits } = state;
  // A refusal may know more than the State that this page has.
  const latest = value && value.seen.server_time > state.server_time ? value.seen : state;
  const theirs = latest.instance?.description ?? '';
  const text = value?.text ?? theirs;
  const changed = !!value && theirs !== value.base && theirs !== text;
  const fault = descriptionFault(text, state, words);
  const why = blocked || (limits.why_not.describe ?? '');

  const save = async (version: string): Promise<void> => {
    const { refusal } = await write.run(model.change({ description: text }, version));
    if (!refusal) {
      draft.set(null);
    } else if (refusal.conflict && value) {
      draft.set({ ...value, seen: refusal.conflict });
    }
  };
  const drop = (): void => {
    draft.set(null);
    write.say('');
    document.getElementById(id)?.focus();
  };
  return (
    <div className="jp-AutostopCard-part">
      <label htmlFor={id}>
        {trans.__('Description')}
        {value && ` · ${trans.__('not saved')}`}
      </label>
      <textarea
        id={id}
        rows={2}
        value={text}
        readOnly={!!why || write.busy}
        aria-invalid={!!fault}
        aria-describedby={`${id}-hint ${id}-count`}
        onChange={event => {
          const next = event.target.value;
          const { base, seen } = value ?? { base: theirs, seen: state };
          draft.set(next === base && !changed ? null : { text: next, base, seen });
          write.say('');
        }}
      />
      <p id={`${id}-count`} className="jp-AutostopCard-line">
        {/* Code points, as the server counts them: an emoji is one. */}
        {trans.__('%1 of %2', Array.from(text).length, limits.description_max)}
      </p>
      <Hint id={`${id}-hint`} text={(why || fault) === blocked ? '' : why || fault} bad />
      {changed && (
        <div className="jp-AutostopCard-changed">
          <b>{trans.__('Changed elsewhere meanwhile, to:')}</b>
          <blockquote>{theirs || trans.__('(empty)')}</blockquote>
        </div>
      )}
      {value && (
        <div className="jp-AutostopCard-row">
          <Button
            label={changed ? trans.__('Save mine') : trans.__('Save')}
            look="jp-mod-accept"
            off={!!why || !!fault || write.busy}
            by={`${id}-hint`}
            // Mine over theirs is saved with theirs in sight; else over what was there when typing began.
            onClick={() => void save((changed ? latest : value.seen).version)}
          />
          <Button label={changed ? trans.__('Take theirs') : trans.__('Discard')} onClick={drop} />
        </div>
      )}
      <Hint text={write.said} live />
    </div>
  );
}

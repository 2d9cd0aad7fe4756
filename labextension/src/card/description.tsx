import * as React from 'react';

import type { ILimits } from '../tokens';
import type { IWords } from '../view';
import { Button, Hint, Said } from './control';
import { draftOf } from './draft';
import type { IPart } from './part';
import { useChanges, useWrite } from './part';

/** The characters of a text as the server counts them: code points, so that an emoji is one. */
function characters(text: string): number {
  return Array.from(text).length;
}

/** What the platform would not take in a description; empty where it would. */
export function descriptionProblem(text: string, limits: ILimits, { trans }: IWords): string {
  const found = Array.from(limits.description_forbidden).filter(char => text.includes(char));
  const over = characters(text) - limits.description_max;
  return [
    found.length > 0 ? trans.__('Not allowed here: %1', found.map(char => `“${char}”`).join(' ')) : '',
    over > 0 ? trans._n('%1 character too many', '%1 characters too many', over) : ''
  ]
    .filter(part => part !== '')
    .join('. ');
}

/** The description, edited without ever overwriting what is being typed or what others wrote. */
export function Description({ model, words, state, blocked }: IPart): React.JSX.Element | null {
  const { trans } = words;
  const draft = draftOf(model);
  useChanges(draft);
  const write = useWrite(words);
  const id = React.useId();
  if (!state.instance) {
    return null;
  }

  const { limits } = state;
  const value = draft.value;
  // A refusal may know more than the State that this page has.
  const conflict = value?.conflict;
  const latest = conflict && conflict.server_time > state.server_time ? conflict : state;
  const theirs = latest.instance?.description ?? '';
  const text = value?.text ?? theirs;
  const changed = value !== null && theirs !== value.base && theirs !== value.text;
  const problem = descriptionProblem(text, limits, words);
  const why = blocked || (limits.why_not.describe ?? '');

  const type = (next: string): void => {
    const base = value?.base ?? theirs;
    draft.set(
      next === base && !changed
        ? null
        : { base, version: value?.version ?? state.version, conflict: conflict ?? null, text: next }
    );
    write.say('');
  };
  const save = (version: string): void => {
    if (problem || write.busy || !value) {
      return;
    }
    void write.run(model.change({ description: text }, version)).then(({ refusal }) => {
      if (!refusal) {
        draft.set(null);
      } else if (refusal.conflict) {
        draft.set({ ...value, conflict: refusal.conflict });
      }
    });
  };
  return (
    <div className="jp-AutostopCard-part">
      <label htmlFor={id}>
        {trans.__('Description')}
        {value && <em> · {trans.__('not saved')}</em>}
      </label>
      <textarea
        id={id}
        rows={2}
        value={text}
        readOnly={!!why || write.busy}
        aria-invalid={!!problem}
        aria-describedby={`${id}-hint ${id}-count`}
        onChange={event => type(event.target.value)}
      />
      <p id={`${id}-count`} className="jp-AutostopCard-count">
        {trans.__('%1 of %2', characters(text), limits.description_max)}
      </p>
      <Hint id={`${id}-hint`} text={blocked ? '' : why || problem} bad />
      {changed && (
        <div className="jp-AutostopCard-question" role="group" aria-label={trans.__('Changed elsewhere')}>
          <b>{trans.__('Changed elsewhere meanwhile, to:')}</b>
          <blockquote>{theirs || trans.__('(empty)')}</blockquote>
          <div className="jp-AutostopCard-row">
            <Button label={trans.__('Save mine')} why={why || problem} onClick={() => save(latest.version)} />
            <Button label={trans.__('Take theirs')} onClick={() => draft.set(null)} />
          </div>
        </div>
      )}
      {value && !changed && (
        <div className="jp-AutostopCard-row">
          <Button
            label={trans.__('Save')}
            look="accept"
            why={why || problem}
            by={`${id}-hint`}
            onClick={() => save(value.version)}
          />
          <Button label={trans.__('Discard')} onClick={() => draft.set(null)} />
        </div>
      )}
      <Said text={write.said} />
    </div>
  );
}

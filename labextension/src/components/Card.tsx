import React, { useId } from 'react';

import type { IWords } from '../format/words';
import type { IAutostopModel } from '../tokens';
import { Description } from './Description';
import { Extend } from './ExtendForm';
import { Foot } from './Footer';
import { Head } from './Header';
import { Holds } from './Holds';
import type { Ask } from './hooks';
import { useChanges } from './hooks';
import { Journal } from './Journal';
import { Settings } from './Settings';

export interface ICardOptions {
  model: IAutostopModel;
  words: IWords;
  /** Asks whether something costly is meant. */
  ask: Ask;
  /** What the reader can do for more than this. */
  hint?: string;
}

/** Everything about the instance's stop time, and the ways to move it. */
export function Card({ model, words, ask, hint }: ICardOptions): React.JSX.Element {
  useChanges(model);
  const blockedBy = useId();
  const situation = model.situation();
  const { state, link } = situation;
  // Without an instance there is nothing to ask for; the head says why.
  const known = state && (state.instance ?? state.auto_stop) ? state : null;
  const blocked = known && link && link.kind !== 'failed' ? link.message : '';
  const part = { model, words, situation, blocked, blockedBy, ask };
  return (
    <Head {...part}>
      {known && (
        <>
          <Extend {...part} state={known} />
          <Holds {...part} state={known} />
          <Settings {...part} state={known} />
          {known.instance && <Description {...part} state={known} />}
        </>
      )}
      {state && <Journal {...part} />}
      <Foot {...part} state={known} />
      {hint && <p className="jp-AutostopCard-line">{hint}</p>}
    </Head>
  );
}

/** The state without any control, for where the author of a notebook must not place them. */
export function Picture({ model, words, hint }: ICardOptions): React.JSX.Element {
  return (
    <Head model={model} words={words} blocked="" blockedBy="">
      {hint && <p className="jp-AutostopCard-line">{hint}</p>}
    </Head>
  );
}

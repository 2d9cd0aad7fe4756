import { Widget } from '@lumino/widgets';
import * as React from 'react';
import type { Root } from 'react-dom/client';
import { createRoot } from 'react-dom/client';

import { Hint } from './card/control';
import { Description } from './card/description';
import { Extend } from './card/extend';
import { Foot } from './card/foot';
import { Head } from './card/head';
import { Holds, Journal } from './card/lists';
import type { Ask } from './card/part';
import { useChanges } from './card/part';
import { Settings } from './card/settings';
import type { IAutostopModel } from './tokens';
import type { IWords } from './view';

export interface ICardOptions {
  model: IAutostopModel;
  words: IWords;
  /** Asks whether something costly is meant; default: a question within the card. */
  ask?: Ask;
}

/** Everything about the instance's stop time, and the ways to move it. */
export function Card({ model, words, ask }: ICardOptions): React.JSX.Element {
  useChanges(model);
  const situation = model.situation();
  const { state, link } = situation;
  const blockedBy = React.useId();
  const part = {
    blockedBy,
    model,
    words,
    situation,
    ask,
    blocked: link && link.kind !== 'failed' ? link.message : ''
  };
  // Without an instance there is nothing to ask for; the head says why.
  const known = state && (state.instance || state.auto_stop) ? { ...part, state } : null;
  return (
    <Head model={model} words={words}>
      {known && (
        <>
          <Hint id={blockedBy} text={part.blocked} bad />
          <Extend {...known} />
          <Holds {...known} />
          <Settings {...known} />
          <Description {...known} />
        </>
      )}
      {state && <Journal {...part} />}
      <Foot {...part} state={known && state} />
    </Head>
  );
}

/** The card as a widget; several may stand on a page. What is typed outlives being taken off the page. */
export class CardWidget extends Widget {
  constructor(options: ICardOptions) {
    super();
    this.addClass('jp-AutostopCardWidget');
    this._root = createRoot(this.node);
    this._root.render(<Card {...options} />);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._root.unmount();
    }
    super.dispose();
  }

  private readonly _root: Root;
}

import { Widget } from '@lumino/widgets';
import React, { useId } from 'react';
import { createRoot } from 'react-dom/client';

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

/** The card as a widget; several may stand on a page. What is typed outlives being taken off the page. */
export class CardWidget extends Widget {
  constructor(options: ICardOptions, Content: React.FunctionComponent<ICardOptions> = Card) {
    super();
    this.addClass('jp-AutostopCardWidget');
    this.node.addEventListener('pointerenter', options.model.look);
    this.node.addEventListener('keydown', event => {
      // In a notebook JupyterLab takes new lines and undoing for its own, from Enter and Shift or Ctrl on: what
      // has a name (letters have none) works on the field, and so does undoing.
      if (/^([zy]|..+)$/i.test(event.key) && (event.target as Element).matches('input,textarea')) {
        event.stopPropagation();
      }
    });
    this._root.render(<Content {...options} />);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._root.unmount();
    }
    super.dispose();
  }

  private readonly _root = createRoot(this.node);
}

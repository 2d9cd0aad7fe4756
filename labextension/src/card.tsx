import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IAutostopModel } from './tokens';
import type { IWords } from './view';
import { describe } from './view';

export interface ICardOptions {
  model: IAutostopModel;
  words: IWords;
  ask?: (title: string, body: string, accept: string) => Promise<boolean>;
}

/** A placeholder. */
export class CardWidget extends ReactWidget {
  constructor(private readonly _options: ICardOptions) {
    super();
    this.addClass('jp-AutostopCard');
    _options.model.changed.connect(this.update, this);
  }

  protected override render(): React.JSX.Element {
    const view = describe(this._options.model.situation(), this._options.words);
    return (
      <div>
        <span role="timer">{view.text}</span>
        <button onClick={() => void this._options.model.extendBy(3600)}>
          {this._options.words.trans.__('Extend 1 h')}
        </button>
      </div>
    );
  }
}

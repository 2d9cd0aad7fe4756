import { Widget } from '@lumino/widgets';
import React from 'react';
import { createRoot } from 'react-dom/client';

import type { ICardOptions } from '../components/Card';
import { Card } from '../components/Card';

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

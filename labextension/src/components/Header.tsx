import React, { useLayoutEffect, useRef, useState } from 'react';

import { drawIcon, iconOf } from '../view/icons';
import { viewsOf } from '../view/sharedViews';
import { describe } from '../view/viewModel';
import type { IPart } from './hooks';

type IHead = Pick<IPart, 'model' | 'words' | 'blocked' | 'blockedBy'> & { children: React.ReactNode };

/**
 * The countdown with all that is known about it, and below it the rest of the card.
 *
 * Once a second only the countdown's own text is written, past React, which is too slow for a page
 * of many cards; what the rest says changes by the minute at most.
 */
export function Head({ model, words, blocked, blockedBy, children }: IHead): React.JSX.Element {
  const [view, setView] = useState(() => describe(model.situation(), words));
  const icon = useRef<HTMLSpanElement>(null);
  const timer = useRef<HTMLSpanElement>(null);

  useLayoutEffect(() => {
    const followed = viewsOf(model, words).follow((next, more) => {
      const text = timer.current?.firstChild;
      if (text) {
        text.nodeValue = next.text;
        timer.current.setAttribute('aria-label', next.label);
      }
      if (more) {
        setView(next);
      }
    });
    return () => followed.dispose();
  }, [model, words]);

  const name = iconOf(view);
  useLayoutEffect(() => icon.current?.replaceChildren(drawIcon(name)), [name]);

  // The first line of a time that counts is the moment with day and zone, which `when` says shorter.
  const lines = view.title.split('\n').slice(view.when && !view.pending ? 1 : 0);
  return (
    <div
      className="jp-AutostopCard"
      role="group"
      aria-label={words.trans.__('Auto-stop')}
      data-kind={view.kind}
      data-level={view.level}
      data-pending={view.pending ? '' : undefined}
    >
      <div className="jp-AutostopCard-head" title={view.title}>
        <div>
          <span ref={icon} className="jp-AutostopCard-icon" aria-hidden />
          <span
            ref={timer}
            className="jp-AutostopCountdown"
            role="timer"
            aria-live="off"
            aria-label={view.label}
          >
            {view.text}
          </span>
        </div>
        {view.badge && <span className="jp-AutostopBadge">{view.badge}</span>}
        {view.note && <span className="jp-AutostopCard-note">{view.note}</span>}
      </div>
      {view.when && <p className="jp-AutostopCard-when">{view.when}</p>}
      {lines.map((line, index) => (
        <p
          key={index}
          // What stands in the way of every control is named by all of them.
          id={line === blocked ? blockedBy : undefined}
          className={`jp-AutostopCard-line ${line === blocked ? 'jp-mod-bad' : ''}`}
        >
          {line}
        </p>
      ))}
      {children}
    </div>
  );
}

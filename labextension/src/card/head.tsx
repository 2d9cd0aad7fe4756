import { useLayoutEffect, useRef, useState } from 'react';

import { shownStop, timeLeft } from '../countdown';
import { drawIcon, iconOf } from '../icons';
import type { ISituation } from '../tokens';
import type { IView, IWords } from '../view';
import { describe } from '../view';
import { h } from './h';
import type { IPart } from './part';

let last: { key: unknown[]; view: IView } | null = null;

/** The view of a situation, made once for all cards that show the same moment. */
function sharedView(situation: ISituation, words: IWords): IView {
  const { state, link, now, uncertain, pending } = situation;
  const minute = (ms: number): number => Math.floor(ms / 60_000);
  const left = timeLeft(shownStop(situation), now);
  const key = [
    ...[words.trans, words.locale, state, link, uncertain, pending?.what, pending?.until],
    ...[minute(now), minute(now - (state?.confirmed_at ?? 0)), left === null ? null : Math.floor(left / 1000)]
  ];
  if (!last?.key.every((part, index) => part === key[index])) {
    last = { key, view: describe(situation, words) };
  }
  return last.view;
}

type IHead = Pick<IPart, 'model' | 'words' | 'blocked' | 'blockedBy'> & { children: React.ReactNode };

/**
 * The countdown with all that is known about it, and below it the rest of the card.
 *
 * Once a second only the countdown's own text is written, past React, which is too slow for a page
 * of many cards; what the rest says changes by the minute at most.
 */
export function Head({ model, words, blocked, blockedBy, children }: IHead): React.JSX.Element {
  const [view, setView] = useState(() => sharedView(model.situation(), words));
  const icon = useRef<HTMLSpanElement>(null);
  const timer = useRef<HTMLSpanElement>(null);

  useLayoutEffect(() => {
    const follow = (): void => {
      const next = sharedView(model.situation(), words);
      const node = timer.current;
      if (node && node.textContent !== next.text) {
        node.textContent = next.text;
      }
      if (node && node.getAttribute('aria-label') !== next.label) {
        node.setAttribute('aria-label', next.label);
      }
      setView(before => (sameBesidesTime(before, next) ? before : next));
    };
    const tick = model.ticker.subscribe(follow);
    model.changed.connect(follow);
    follow();
    return () => {
      tick.dispose();
      model.changed.disconnect(follow);
    };
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
          <span ref={timer} className="jp-AutostopCountdown" role="timer" aria-live="off" />
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

function sameBesidesTime(one: IView, other: IView): boolean {
  return (['kind', 'level', 'pending', 'note', 'badge', 'when', 'title'] as const).every(
    key => one[key] === other[key]
  );
}

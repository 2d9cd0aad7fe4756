import * as React from 'react';

import type { Ask } from './part';

interface IButton {
  label: string;
  onClick?: (() => void) | undefined;
  /** It cannot be used now. */
  off?: boolean | undefined;
  /** Why not; said by a text with the id `by` too, so that everybody can read it. */
  why?: string | undefined;
  by?: string | undefined;
  /** What a screen reader says in place of the label. */
  name?: string | undefined;
  title?: string | undefined;
  look?: 'accept' | 'warn' | undefined;
  focus?: boolean | undefined;
}

/** A button that stays within reach of the keyboard when it cannot be used, so that its reason does too. */
export function Button({
  label,
  onClick,
  off,
  why,
  by,
  name,
  title,
  look,
  focus
}: IButton): React.JSX.Element {
  const idle = off === true || !!why;
  return (
    <button
      type={onClick ? 'button' : 'submit'}
      className={`jp-AutostopCard-button ${look ? `jp-mod-${look}` : ''}`}
      aria-disabled={idle}
      aria-describedby={by}
      aria-label={name}
      title={[why, title].find(text => text)}
      autoFocus={focus}
      onClick={idle ? event => event.preventDefault() : onClick}
    >
      {label}
    </button>
  );
}

/** A text beside a control, for eyes and, by its id, for screen readers. */
export function Hint({
  id,
  text,
  bad
}: {
  id?: string;
  text: string;
  bad?: boolean;
}): React.JSX.Element | null {
  return text ? (
    <p id={id} className={`jp-AutostopCard-hint ${bad ? 'jp-mod-bad' : ''}`}>
      {text}
    </p>
  ) : null;
}

/** What came of something, said once by screen readers; there from the start, or they would not notice. */
export function Said({ text }: { text: string }): React.JSX.Element {
  return (
    <p role="status" className="jp-AutostopCard-said">
      {text}
    </p>
  );
}

interface IField {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** What can be done with what is typed. */
  action: string;
  onAction: () => void;
  placeholder?: string;
  /** What the typed comes to, or what is wrong with it. */
  hint: string;
  bad?: boolean;
  /** There is something that can be done. */
  ready: boolean;
  why: string;
  by: string;
}

/** A field for an amount, with what it comes to below it and a button that takes it. */
export function Field(props: IField): React.JSX.Element {
  const id = React.useId();
  const { value, why, bad = false, hint } = props;
  const off = !!why || bad || !props.ready;
  const by = why ? props.by : `${id}-hint`;
  return (
    <form
      onSubmit={event => {
        event.preventDefault();
        if (!off) {
          props.onAction();
        }
      }}
    >
      <label htmlFor={id}>{props.label}</label>
      <div className="jp-AutostopCard-row">
        <input
          id={id}
          value={value}
          placeholder={props.placeholder}
          disabled={!!why}
          aria-invalid={bad}
          aria-describedby={by}
          autoComplete="off"
          spellCheck={false}
          onChange={event => props.onChange(event.target.value)}
        />
        <Button label={props.action} off={off} why={why} by={by} />
      </div>
      <Hint id={`${id}-hint`} text={why ? '' : hint} bad={bad} />
    </form>
  );
}

interface IQuestion {
  title: string;
  body: string;
  accept: string;
  cancel: string;
}

/** A question before something costly: within the card, or by `ask` where that is given. */
export function useQuestion(
  question: IQuestion,
  act: () => void,
  ask?: Ask
): { put: () => void; asked: React.JSX.Element | null } {
  const [open, setOpen] = React.useState(false);
  const opener = React.useRef<Element | null>(null);
  const id = React.useId();
  const close = (): void => {
    setOpen(false);
    if (opener.current instanceof HTMLElement) {
      opener.current.focus();
    }
  };
  const { title, body, accept, cancel } = question;
  return {
    put: () => {
      opener.current = document.activeElement;
      if (ask) {
        void ask(title, body, accept).then(yes => (yes ? act() : undefined));
      } else {
        setOpen(true);
      }
    },
    asked: open ? (
      <div
        role="alertdialog"
        aria-labelledby={`${id}-title`}
        aria-describedby={`${id}-body`}
        className="jp-AutostopCard-question"
        onKeyDown={event => {
          if (event.key === 'Escape') {
            // The card may stand in something that closes by the same key.
            event.stopPropagation();
            close();
          }
        }}
      >
        <b id={`${id}-title`}>{title}</b>
        <p id={`${id}-body`}>{body}</p>
        <div className="jp-AutostopCard-row">
          <Button label={cancel} onClick={close} focus />
          <Button
            label={accept}
            look="warn"
            onClick={() => {
              close();
              act();
            }}
          />
        </div>
      </div>
    ) : null
  };
}

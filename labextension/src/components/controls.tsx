import React, { useId } from 'react';

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
  look?: 'jp-mod-accept' | 'jp-mod-warn' | '';
}

/** A button that stays within reach of the keyboard when it cannot be used, so that its reason does too. */
export function Button({ label, onClick, off, why, by, name, title, look = '' }: IButton): React.JSX.Element {
  const idle = off === true || !!why;
  return (
    <button
      type={onClick ? 'button' : 'submit'}
      className={`jp-AutostopCard-button ${look}`}
      aria-disabled={idle}
      aria-describedby={by}
      aria-label={name}
      title={title}
      onClick={idle ? event => event.preventDefault() : onClick}
    >
      {label}
    </button>
  );
}

/** A text beside a control, for eyes and, by its id, for screen readers; with `live` said once when it changes. */
export function Hint(props: { id?: string; text: string; bad?: boolean; live?: boolean }): React.JSX.Element {
  return (
    <p
      id={props.id}
      role={props.live ? 'status' : undefined}
      className={`jp-AutostopCard-hint ${props.bad && props.text ? 'jp-mod-bad' : ''}`}
    >
      {props.text}
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
  bad: boolean;
  /** There is something that can be done. */
  ready: boolean;
  why: string;
  by: string;
}

/** A field for an amount, with what it comes to below it and a button that takes it. */
export function Field(props: IField): React.JSX.Element {
  const id = useId();
  const { value, why, bad, hint } = props;
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
          onChange={event => props.onChange(event.target.value)}
        />
        <Button label={props.action} off={off} by={by} />
      </div>
      <Hint id={`${id}-hint`} text={why ? '' : hint} bad={bad} />
    </form>
  );
}

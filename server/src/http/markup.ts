// Parts of pages that many of them have. Every value is escaped where it is put in.
import { html } from 'ghtml';

export interface Field {
  readonly name: string;
  /** Of the input, where there are several of the name. */
  readonly id?: string;
  readonly label: string;
  readonly type?: 'text' | 'email' | 'password';
  readonly value?: string;
  /** Token of the HTML standard, §4.10.18.7.1. */
  readonly autocomplete: string;
  /** Beside the label: what is asked for. */
  readonly hint?: string;
  /** What is wrong with what was typed. */
  readonly fault?: string | undefined;
  readonly isOptional?: boolean;
  readonly minLength?: number;
  /** Attributes for the script. */
  readonly data?: Readonly<Record<string, string>>;
}

/** A labelled input with its hint and its fault, which assistive technology reads with it. */
export function field(given: Field): string {
  const {
    name,
    id = name,
    label,
    type = 'text',
    value = '',
    autocomplete,
    hint,
    fault,
    isOptional = false,
  } = given;
  const described = [hint !== undefined && `${id}-hint`, fault !== undefined && `${id}-fault`].filter(
    Boolean,
  );
  const isCode = autocomplete === 'one-time-code';
  const attributes = [
    ...(described.length > 0 ? [html`aria-describedby="${described.join(' ')}"`] : []),
    ...(fault !== undefined ? ['aria-invalid="true"', 'autofocus'] : []),
    ...(isOptional ? [] : ['required']),
    ...(given.minLength !== undefined && given.minLength > 1 ? [html`minlength="${given.minLength}"`] : []),
    ...(type === 'email' || isCode ? ['autocapitalize="none"', 'spellcheck="false"'] : []),
    ...(isCode ? ['class="code"'] : []),
    ...Object.entries(given.data ?? {}).map(([key, text]) => html`data-${key}="${text}"`),
  ];
  return html`<div class="field">
    <label for="${id}">${label}</label>
    !${hint === undefined ? '' : html`<p class="hint" id="${id}-hint">${hint}</p>`}
    !${fault === undefined ? '' : html`<p class="fault" id="${id}-fault">${fault}</p>`}
    <input
      id="${id}"
      name="${name}"
      type="${type}"
      value="${value}"
      autocomplete="${autocomplete}"
      !${attributes.join(' ')}
    />
  </div>`;
}

/** A value that a form carries along; nothing where there is none. */
export function hidden(name: string, value: string | undefined): string {
  return value === undefined ? '' : html`<input type="hidden" name="${name}" value="${value}" />`;
}

/** Something to be told: good news, or what went wrong. */
export function notice(kind: 'done' | 'fault', text: string | undefined): string {
  if (text === undefined) return '';
  return html`<p class="notice ${kind}" role="${kind === 'done' ? 'status' : 'alert'}">${text}</p>`;
}

/** An address within the service with its query; what is undefined is left out. */
export function addressOf(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

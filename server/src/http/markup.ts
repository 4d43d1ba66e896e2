// Builds markup that many pages share. Every value is escaped when it is inserted.
import { html } from 'ghtml';

export interface Field {
  readonly name: string;
  /** Id of the input, if several have the same name. */
  readonly id?: string;
  readonly label: string;
  /** `email` is judged by the service alone: browsers reject addresses that it accepts (RFC 6531). */
  readonly type?: 'text' | 'email' | 'password';
  /** The field takes a code: six digits of an app, the letters and digits of a mail, or a recovery code. */
  readonly code?: 'digits' | 'mail' | 'recovery';
  readonly value?: string;
  /** Autofill token (HTML standard, §4.10.18.7.1). */
  readonly autocomplete: string;
  /** Markup next to the label, such as a link. */
  readonly aside?: string;
  /** Explanation below the label. */
  readonly hint?: string;
  /** What is wrong with the value that was typed. */
  readonly fault?: string | undefined;
  readonly isOptional?: boolean;
  readonly minLength?: number;
  /** `data-` attributes for the script. */
  readonly data?: Readonly<Record<string, string>>;
}

/** Attributes of fields for codes: the keyboard, and the pattern of a complete code, which the script sends immediately. */
const codeAttributes = {
  digits: ['class="code"', 'inputmode="numeric"', 'spellcheck="false"', 'data-full="^[0-9]{6}$"'],
  mail: ['class="code"', 'autocapitalize="characters"', 'spellcheck="false"', 'data-full="^[0-9A-Za-z]{8}$"'],
  recovery: ['class="code"', 'autocapitalize="characters"', 'spellcheck="false"'],
} as const;

/** Returns a labeled input with its hint and its fault, which assistive technology reads together. */
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
  const attributes = [
    ...(described.length > 0 ? [html`aria-describedby="${described.join(' ')}"`] : []),
    ...(fault !== undefined ? ['aria-invalid="true"', 'autofocus'] : []),
    ...(isOptional ? [] : ['required']),
    ...(given.minLength !== undefined && given.minLength > 1 ? [html`minlength="${given.minLength}"`] : []),
    ...(type === 'email' ? ['inputmode="email"', 'autocapitalize="none"', 'spellcheck="false"'] : []),
    ...(given.code === undefined ? [] : codeAttributes[given.code]),
    ...(type === 'text' && given.code === undefined ? [] : ['dir="ltr"']),
    ...Object.entries(given.data ?? {}).map(([key, text]) => html`data-${key}="${text}"`),
  ];
  return html`<div class="field">
    <div class="label"><label for="${id}">${label}</label> !${given.aside ?? ''}</div>
    !${hint === undefined ? '' : html`<p class="hint" id="${id}-hint">${hint}</p>`}
    !${fault === undefined ? '' : html`<p class="fault" id="${id}-fault">${fault}</p>`}
    <input
      id="${id}"
      name="${name}"
      type="${type === 'email' ? 'text' : type}"
      value="${value}"
      autocomplete="${autocomplete}"
      !${attributes.join(' ')}
    />
  </div>`;
}

/** Returns a hidden input, or empty text without a value. */
export function hidden(name: string, value: string | undefined): string {
  return value === undefined ? '' : html`<input type="hidden" name="${name}" value="${value}" />`;
}

/** Returns a notice of success, of a fault or of something else, or empty text without a message. */
export function notice(kind: 'done' | 'fault' | 'other', text: string | undefined): string {
  if (text === undefined) return '';
  if (kind === 'other') return html`<p class="notice" role="status">${text}</p>`;
  // The focus makes screen readers read a fault of a page that has just been loaded.
  return kind === 'done'
    ? html`<p class="notice done" role="status">${text}</p>`
    : html`<p class="notice fault" role="alert" tabindex="-1" autofocus>${text}</p>`;
}

/** Returns a path with its query; undefined values are omitted. */
export function addressOf(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

// Reads the fields of a client or a resource, which come from a file or from a command. A reader reports each fault as
// the predicate of a sentence about its field: "must be true or false".
import { Problem, type FieldFault } from '../../../kit/problem.ts';
import { nearest } from '../../../kit/text/near-name.ts';

/** Fields by their names on the wire, in snake_case. */
export type Input = Readonly<Record<string, unknown>>;

/** Reads a value; `undefined` after it reported a fault. */
type Reader<T> = (value: unknown, fault: (message: string) => void) => T | undefined;

/** One field. */
export interface Field<T> {
  readonly read: Reader<T>;
  /** Describes it in docs/reference/clients.md. */
  readonly says: string;
  /** Describes its default there. */
  readonly defaultSays: string;
}

/** Declares a field, with the type of its value. */
export function field<T>(row: Field<T>): Field<T> {
  return row;
}

export type FieldTable = Readonly<Record<string, Field<unknown>>>;

/** The values that an input has; those that are absent or invalid are `undefined`. */
export type Values<Table extends FieldTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Field<infer T> ? T | undefined : never;
};

/** Collects what is wrong with an input. */
export class Faults {
  readonly #list: FieldFault[] = [];

  add(name: string, message: string): void {
    this.#list.push({ field: name, message });
  }

  has(name: string): boolean {
    return this.#list.some((fault) => fault.field === name);
  }

  /** @throws {Problem} invalid_request with one fault per field and value, if there are any. */
  throwIfAny(what: string): void {
    if (this.#list.length === 0) return;
    const lines = this.#list.map(({ field: name, message }) => `  - ${name} ${message}`);
    throw new Problem('invalid_request', {
      message: `The ${what} is invalid:\n${lines.join('\n')}`,
      fields: this.#list,
    });
  }
}

/** Reads all fields of an input, and reports names that are no fields. */
export function readFields<Table extends FieldTable>(
  table: Table,
  input: Input,
  faults: Faults,
): Values<Table> {
  for (const name of Object.keys(input)) {
    if (Object.hasOwn(table, name)) continue;
    const meant = nearest(name, Object.keys(table), 1);
    faults.add(name, `is not a field${meant === undefined ? '' : `; did you mean ${meant}?`}`);
  }
  const entries = Object.entries(table).map(([name, { read }]) => {
    const value = input[name];
    return [name, value === undefined ? undefined : read(value, (message) => faults.add(name, message))];
  });
  return Object.fromEntries(entries) as Values<Table>; // each value is that of its own reader
}

/** Reads `true` or `false`. */
export const flag: Reader<boolean> = (value, fault) => {
  if (typeof value === 'boolean') return value;
  fault('must be true or false');
  return undefined;
};

/** Returns a reader of whole numbers from `min` to `max`. */
export function integer(min: number, max: number): Reader<number> {
  return (value, fault) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    fault(`must be a whole number from ${min} to ${max}`);
    return undefined;
  };
}

/** Returns a reader of the given words. */
export function oneOf<Word extends string>(...words: readonly Word[]): Reader<Word> {
  return (value, fault) => {
    const word = words.find((each) => each === value);
    if (word === undefined) fault(`must be one of ${words.join(', ')}`);
    return word;
  };
}

/** Reads a text without surrounding white space, of at least one character. */
export const text: Reader<string> = (value, fault) => {
  const trimmed = typeof value === 'string' ? value.trim() : '';
  if (trimmed !== '') return trimmed;
  fault('must be a text');
  return undefined;
};

const maxNameCharacters = 100;
/**
 * Control characters, line separators, and characters that are invisible or change the direction of the text after them:
 * sentences of the consent page contain the name (Unicode TR 36 §2.8). Joiners and variation selectors belong to words
 * and emoji.
 */
const forbiddenInNames =
  /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]|(?!\u200C|\u200D|\p{Variation_Selector})\p{Default_Ignorable_Code_Point}/u;
const visible = /[^\s\p{C}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Reads a name that is shown to users. */
export const displayName: Reader<string> = (value, fault) => {
  const name = text(value, fault);
  if (name === undefined) return undefined;
  if (name.length <= maxNameCharacters && !forbiddenInNames.test(name) && visible.test(name))
    return name.normalize('NFC');
  fault(`must have at most ${maxNameCharacters} characters, one of them visible, and no control characters`);
  return undefined;
};

/** Returns a reader of lists of texts without repetitions. `check` returns a clause about a wrong entry. */
export function list<T extends string = string>(
  check: (entry: string) => string | undefined,
  convert: (entry: string) => T = (entry) => entry as T, // a list of texts, unless it says otherwise
): Reader<readonly T[]> {
  return (value, fault) => {
    if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) {
      fault('must be a list of texts');
      return undefined;
    }
    const wrong = value.flatMap((entry) => {
      const clause = check(entry);
      return clause === undefined ? [] : [`has ${shown(entry)}, which ${clause}`];
    });
    for (const message of wrong) fault(message);
    return wrong.length > 0 ? undefined : [...new Set(value.map(convert))];
  };
}

/** Characters of a wrong value that a fault quotes. */
const shownCharacters = 100;

/** Returns a wrong value for a fault, in quotation marks. */
export function shown(value: string): string {
  return JSON.stringify(value.length > shownCharacters ? `${value.slice(0, shownCharacters)}…` : value);
}

/** Characters of a scope (RFC 6749 §3.3). */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/;

/** Reads a list of scopes. */
export const scopeList: Reader<readonly string[]> = list((entry) =>
  scopeToken.test(entry) ? undefined : 'is not a scope: it may have no white space, quotation mark or \\',
);

// Formats messages in the languages of the service, and negotiates the language of a client. Messages are JSON files in
// ICU message format, one per language, in server/languages and in the `messages` folder of each module. They are loaded
// with the first message, because a service that only serves programs never needs them.
import type * as IntlLibrary from 'intl-messageformat';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Language for users who state no language, or only unsupported ones. */
export const defaultLanguage = 'en';

/** Values of the placeholders of a message: numbers select plural forms, instants are Unix milliseconds. */
export type MessageValues = Readonly<Record<string, string | number>>;

/** Texts by language and key. */
export type Catalogs = ReadonlyMap<string, ReadonlyMap<string, string>>;

const folders = new Set([new URL('../../languages/', import.meta.url).href]);
const catalogs = new Map<string, Map<string, string>>();

/**
 * Adds a folder of messages: the URL of the folder, ending with a slash. It contains `en.json`, `fr.json`, … with
 * unique keys.
 */
export function addMessages(folder: string): void {
  if (folders.has(folder)) return;
  folders.add(folder);
  catalogs.clear();
}

/** Returns the tags of the supported languages. */
export function languages(): readonly string[] {
  if (catalogs.size === 0) for (const folder of folders) readFolder(folder);
  return [...catalogs.keys()];
}

/** @throws {Error} if another folder already defines a message. */
function readFolder(folder: string): void {
  const names = readdirSync(new URL(folder)).filter((name) => name.endsWith('.json'));
  for (const name of names) {
    const messages = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Record<string, string>; // our own file
    const language = name.slice(0, -'.json'.length);
    const catalog = catalogs.get(language) ?? new Map<string, string>();
    catalogs.set(language, catalog);
    for (const [key, text] of Object.entries(messages)) {
      if (catalog.has(key)) throw new Error(`The message ${key} is in two folders`);
      catalog.set(key, text);
    }
  }
}

/** Returns the keys of all messages in a language. */
export function messageKeys(language: string): readonly string[] {
  return languages().includes(language) ? [...(catalogs.get(language)?.keys() ?? [])] : [];
}

/** Returns the unformatted text of a message, with its placeholders. */
export function rawMessage(language: string, key: string): string | undefined {
  return languages().includes(language) ? catalogs.get(language)?.get(key) : undefined;
}

/** The messages of one service: those of the modules, and those of the operator, which take precedence. */
export class Languages {
  readonly #own: Catalogs;
  readonly #compiled = new Map<string, { format: IntlLibrary.IntlMessageFormat; hasDate: boolean }>();

  constructor(own: Catalogs = new Map()) {
    this.#own = own;
  }

  /** Tags of the supported languages. */
  get tags(): readonly string[] {
    return [...new Set([...languages(), ...this.#own.keys()])];
  }

  isSupported(language: string): boolean {
    return this.#own.has(language) || languages().includes(language);
  }

  /** Returns whether there is a message with this key. A language that lacks it shows it in English. */
  has(key: string): boolean {
    return this.#textOf(defaultLanguage, key) !== undefined;
  }

  /** Returns the name of a language in that language. */
  nameOf(language: string): string {
    const name = this.#textOf(language, 'page.frame.language');
    return name ?? new Intl.DisplayNames([language], { type: 'language' }).of(language) ?? language;
  }

  /** Returns the supported language that a client prefers; see `languageOf`. */
  preferred(acceptLanguage: string | undefined): string | undefined {
    return languageOf(acceptLanguage, this.tags);
  }

  /**
   * Formats a message in a language, or in English if the language or the message in it is missing. Times are in UTC.
   * @throws {Error} if the message does not exist.
   */
  message(language: string | undefined, key: string, values: MessageValues = {}): string {
    const wanted = language !== undefined && this.isSupported(language) ? language : defaultLanguage;
    const name = `${wanted} ${key}`;
    let compiled = this.#compiled.get(name);
    if (compiled === undefined) {
      const text = this.#textOf(wanted, key);
      const shown = text ?? this.#textOf(defaultLanguage, key);
      if (shown === undefined) throw new Error(`There is no message ${key} in ${wanted}`);
      const format = compile(shown, text === undefined ? defaultLanguage : wanted);
      compiled = { format, hasDate: shown.includes(', date') };
      this.#compiled.set(name, compiled);
    }
    const formatted = String(compiled.format.format({ ...values }));
    return compiled.hasDate ? withOrdinal(wanted, formatted) : formatted;
  }

  #textOf(language: string, key: string): string | undefined {
    return this.#own.get(language)?.get(key) ?? rawMessage(language, key);
  }
}

const frenchFirst =
  /(?<!\d)1 (?=janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)/g;

/** French writes the first day of a month as an ordinal number, which Intl does not. */
export function withOrdinal(language: string, text: string): string {
  return language.startsWith('fr') ? text.replaceAll(frenchFirst, '1er ') : text;
}

/** The messages of the modules alone. */
export const ownLanguages = new Languages();

/** Formats a message of the modules; see `Languages.message`. */
export function message(language: string | undefined, key: string, values: MessageValues = {}): string {
  return ownLanguages.message(language, key, values);
}

/**
 * Compiles a text.
 * @throws {Error} if it is not a message in ICU format.
 */
export function compile(text: string, language: string): IntlLibrary.IntlMessageFormat {
  // Loaded at the first use, because loading takes 15 ms of the start-up time.
  const load = createRequire(import.meta.url);
  const library = load('intl-messageformat') as typeof IntlLibrary; // its own types
  const utc = { timeZone: 'UTC' };
  const formats = {
    date: { long: { ...utc, day: 'numeric', month: 'long', year: 'numeric' } },
    time: { short: { ...utc, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } },
  } as const;
  return new library.IntlMessageFormat(text, language, formats);
}

/** Maximum characters and languages of an Accept-Language header that are read; the rest is ignored. */
const maxCharacters = 200;
const maxRanges = 20;

/**
 * Returns the supported language that a client prefers (RFC 9110 §12.5.4); `undefined` if it accepts none of them. A
 * range such as `pt-BR` also selects `pt`, and `pt` selects `pt-BR` (RFC 4647 §3.4, and the reverse for convenience).
 */
export function languageOf(
  acceptLanguage: string | undefined,
  tags: readonly string[] = languages(),
): string | undefined {
  if (acceptLanguage === undefined) return undefined;
  const ranges = acceptLanguage.slice(0, maxCharacters).split(',').slice(0, maxRanges).map(toRange);
  const supported = ranges.flatMap(({ tag, quality }) => {
    const found = quality > 0 ? tagFor(tag, tags) : undefined;
    return found === undefined ? [] : [{ found, quality }];
  });
  const best = Math.max(...supported.map(({ quality }) => quality));
  return supported.find(({ quality }) => quality === best)?.found;
}

function tagFor(range: string, tags: readonly string[]): string | undefined {
  for (let part = range; part !== ''; part = part.slice(0, Math.max(0, part.lastIndexOf('-')))) {
    const found = tags.find((tag) => tag.toLowerCase() === part);
    if (found !== undefined) return found;
  }
  const [primary = ''] = range.split('-', 1);
  return tags.find((tag) => tag.toLowerCase().startsWith(`${primary}-`));
}

function toRange(text: string): { tag: string; quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1';
  const isWeight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight);
  return { tag: range, quality: isWeight ? Number(weight) : 0 };
}

/** Longest list that is read. */
const maxLocalesCharacters = 200;

/**
 * Returns the languages that an application asks for with `ui_locales` (OpenID Connect Core 1.0 §3.1.2.1), in the form of
 * the header Accept-Language. The page of its request has the parameter; pages on the way there have it in the address to
 * return to.
 */
export function requestedLocales({
  query,
  body,
}: {
  readonly query?: unknown;
  readonly body?: unknown;
}): string | undefined {
  const { ui_locales: own } = (query ?? {}) as { ui_locales?: unknown }; // any object may have one
  const tags = typeof own === 'string' ? own : (localesIn(body) ?? localesIn(query));
  return tags?.slice(0, maxLocalesCharacters).trim().replaceAll(/\s+/g, ',');
}

function localesIn(fields: unknown): string | undefined {
  const { return_to: text } = (fields ?? {}) as { return_to?: unknown }; // as above
  if (typeof text !== 'string' || !text.includes('ui_locales=')) return undefined;
  return URL.parse(text, 'http://path.invalid')?.searchParams.get('ui_locales') ?? undefined;
}

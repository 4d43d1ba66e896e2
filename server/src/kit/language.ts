// Formats messages in the languages of the service, and negotiates the language of a client. Messages are JSON files in
// ICU message format, one per language, in server/languages and in the `messages` folder of each module. They are loaded
// with the first message, because a service that only serves programs never needs them.
import type * as IntlLibrary from 'intl-messageformat';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Language for users who state no language, or only unsupported ones. */
export const usualLanguage = 'en';

/** Values of the placeholders of a message: numbers select plural forms, instants are Unix milliseconds. */
export type MessageValues = Readonly<Record<string, string | number>>;

const folders = new Set([new URL('../../languages/', import.meta.url).href]);
const catalogs = new Map<string, Map<string, string>>();
const compiled = new Map<string, IntlLibrary.IntlMessageFormat>();

/**
 * Adds a folder of messages: the URL of the folder, ending with a slash. It contains `en.json`, `fr.json`, … with
 * unique keys.
 */
export function addMessages(folder: string): void {
  if (folders.has(folder)) return;
  folders.add(folder);
  catalogs.clear();
  compiled.clear();
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
      if (catalog.has(key)) throw new Error(`The message ${key} stands in two folders`);
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

/**
 * Formats a message in a language, or in English if the language is not supported. Times are in UTC.
 * @throws {Error} if the message does not exist.
 */
export function message(language: string | undefined, key: string, values: MessageValues = {}): string {
  const supported = language !== undefined && languages().includes(language) ? language : usualLanguage;
  const name = `${supported} ${key}`;
  let format = compiled.get(name);
  if (format === undefined) {
    const text = rawMessage(supported, key);
    if (text === undefined) throw new Error(`There is no message ${key} in ${supported}`);
    format = compile(text, supported);
    compiled.set(name, format);
  }
  return String(format.format({ ...values }));
}

function compile(text: string, language: string): IntlLibrary.IntlMessageFormat {
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

/** Returns the supported language that a client prefers (RFC 9110 §12.5.4); `undefined` if it accepts none of them. */
export function languageOf(acceptLanguage: string | undefined): string | undefined {
  if (acceptLanguage === undefined) return undefined;
  const ranges = acceptLanguage.slice(0, maxCharacters).split(',').slice(0, maxRanges).map(toRange);
  const supported = ranges.filter(({ tag, quality }) => quality > 0 && languages().includes(tag));
  const best = Math.max(...supported.map(({ quality }) => quality));
  return supported.find(({ quality }) => quality === best)?.tag;
}

function toRange(text: string): { tag: string; quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1';
  const isWeight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight);
  return { tag: range.split('-')[0] ?? '', quality: isWeight ? Number(weight) : 0 };
}

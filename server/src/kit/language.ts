// Messages in the languages of the service: JSON files in ICU message format, one for each language, in server/languages
// and in the `messages` folder of each module. They are loaded with the first message, because a service that serves
// programs only never needs them.
import type * as IntlLibrary from 'intl-messageformat';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What a person reads who has said nothing, or a language that we do not speak. */
export const usualLanguage = 'en';

/** Values of a message's placeholders: numbers count in plurals, instants are Unix milliseconds. */
export type MessageValues = Readonly<Record<string, string | number>>;

const folders = new Set([new URL('../../languages/', import.meta.url).href]);
const catalogues = new Map<string, Map<string, string>>();
const compiled = new Map<string, IntlLibrary.IntlMessageFormat>();

/** Adds a folder of messages, ending with a slash: `en.json`, `fr.json`, … with keys that no other folder has. */
export function addMessages(folder: string): void {
  if (folders.has(folder)) return;
  folders.add(folder);
  catalogues.clear();
  compiled.clear();
}

/** Tags of the languages of the service. */
export function languages(): readonly string[] {
  if (catalogues.size === 0) for (const folder of folders) readFolder(folder);
  return [...catalogues.keys()];
}

/** @throws {Error} for a message that another folder has. */
function readFolder(folder: string): void {
  const names = readdirSync(new URL(folder)).filter((name) => name.endsWith('.json'));
  for (const name of names) {
    const messages = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Record<string, string>; // our own file
    const language = name.slice(0, -'.json'.length);
    const catalogue = catalogues.get(language) ?? new Map<string, string>();
    catalogues.set(language, catalogue);
    for (const [key, text] of Object.entries(messages)) {
      if (catalogue.has(key)) throw new Error(`The message ${key} stands in two folders`);
      catalogue.set(key, text);
    }
  }
}

/** Keys of a language's messages. */
export function messageKeys(language: string): readonly string[] {
  return languages().includes(language) ? [...(catalogues.get(language)?.keys() ?? [])] : [];
}

/** Text of a message as it is written, with its placeholders. */
export function rawMessage(language: string, key: string): string | undefined {
  return languages().includes(language) ? catalogues.get(language)?.get(key) : undefined;
}

/** A message in a language; in the usual one where that is not spoken. Times are told in UTC. */
export function message(language: string | undefined, key: string, values: MessageValues = {}): string {
  const spoken = language !== undefined && languages().includes(language) ? language : usualLanguage;
  const place = `${spoken} ${key}`;
  let format = compiled.get(place);
  if (format === undefined) {
    const text = rawMessage(spoken, key);
    if (text === undefined) throw new Error(`There is no message ${key} in ${spoken}`);
    format = compile(text, spoken);
    compiled.set(place, format);
  }
  return String(format.format({ ...values }));
}

function compile(text: string, language: string): IntlLibrary.IntlMessageFormat {
  // Loaded here, since it takes 15 ms that a start should not.
  const load = createRequire(import.meta.url);
  const library = load('intl-messageformat') as typeof IntlLibrary; // its own types
  const utc = { timeZone: 'UTC' };
  const formats = {
    date: { long: { ...utc, day: 'numeric', month: 'long', year: 'numeric' } },
    time: { short: { ...utc, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } },
  } as const;
  return new library.IntlMessageFormat(text, language, formats);
}

/** Characters of an Accept-Language header that are looked at, and languages in it. */
const maxCharacters = 200;
const maxRanges = 20;

/** The language that a client likes best among ours (RFC 9110 §12.5.4); `undefined` if it names none of them. */
export function languageOf(acceptLanguage: string | undefined): string | undefined {
  if (acceptLanguage === undefined) return undefined;
  const ranges = acceptLanguage.slice(0, maxCharacters).split(',').slice(0, maxRanges).map(toRange);
  const spoken = ranges.filter(({ tag, quality }) => quality > 0 && languages().includes(tag));
  const best = Math.max(...spoken.map(({ quality }) => quality));
  return spoken.find(({ quality }) => quality === best)?.tag;
}

function toRange(text: string): { tag: string; quality: number } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1';
  const isWeight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight);
  return { tag: range.split('-')[0] ?? '', quality: isWeight ? Number(weight) : 0 };
}

// Languages: one JSON file of messages each in server/languages, in ICU message format. What a person reads is written
// there and nowhere else. Loaded with the first message: a service that speaks to programs alone never needs them.
import type * as IntlLibrary from 'intl-messageformat';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What a person reads who has said nothing, or a language that we do not speak. */
export const usualLanguage = 'en';

/** Values of a message's placeholders: numbers count in plurals, instants are Unix milliseconds. */
export type MessageValues = Readonly<Record<string, string | number>>;

const folder = new URL('../../languages/', import.meta.url);
const catalogues = new Map<string, ReadonlyMap<string, string>>();
const compiled = new Map<string, IntlLibrary.IntlMessageFormat>();

/** Tags of the languages that we speak. */
export function languages(): readonly string[] {
  if (catalogues.size === 0) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
      const messages = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Record<string, string>; // ours
      catalogues.set(file.slice(0, -'.json'.length), new Map(Object.entries(messages)));
    }
  }
  return [...catalogues.keys()];
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

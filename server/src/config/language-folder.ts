// Reads the folder with which an operator replaces texts of pages and mails, and adds languages.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLanguageTag } from '../brand/catalog.ts';
import { unreadable } from '../kit/file.ts';
import type { Catalogs } from '../kit/language.ts';
import { OptionFault } from './parse.ts';

export interface LanguageFolder {
  readonly path: string;
  readonly catalogs: Catalogs;
}

/**
 * Reads the files of a folder. `catalogFaults` checks their texts.
 * @throws {OptionFault} if the folder or a file cannot be read, or a file is not a JSON object of texts.
 */
export function readLanguages(path: string): LanguageFolder {
  let names: string[];
  try {
    names = readdirSync(path).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  } catch (error) {
    throw new OptionFault(`must name a folder; ${unreadable(path, error)}`);
  }
  if (names.length === 0)
    throw new OptionFault(`must name a folder with files such as en.json; ${path} has none`);
  return {
    path,
    catalogs: new Map(names.toSorted().map((name) => [name.slice(0, -'.json'.length), readOne(path, name)])),
  };
}

function readOne(folder: string, name: string): ReadonlyMap<string, string> {
  const path = join(folder, name);
  if (!isLanguageTag(name.slice(0, -'.json'.length)))
    throw new OptionFault(
      `must name a folder with files named after languages, such as de.json or pt-BR.json; rename ${path}`,
    );
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new OptionFault(`must name a folder with JSON files; ${path}: ${String(error).split('\n', 1)[0]}`);
  }
  const entries =
    typeof read === 'object' && read !== null && !Array.isArray(read) ? Object.entries(read) : [];
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  if (entries.length === 0 || texts.length < entries.length)
    throw new OptionFault(`must name a folder with JSON objects of texts; ${path} has another form`);
  return new Map(texts);
}

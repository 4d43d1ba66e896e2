// Rejects common passwords, and passwords that reach the required length with padding. NIST SP 800-63B-4 §3.1.1.2
// compares whole passwords with a list, and so does this check. But few common passwords have fifteen characters, so it
// also removes padding: words that an attacker knows (the name of the service, the user's address), runs of keys and
// repetitions. The rest must not be a common password, and must have half of the required length. `password1234567`,
// `passwordpassword`, `aaaaaaaaaaaaaaa` and `qwertyuiopasdfg` are rejected; four unrelated words are accepted.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { maxEmailUnits } from '../../kit/text/text-length.ts';
import type { PasswordCheck } from '../../user/password-rule.ts';

/** Shorter words of an address or a name occur in other words by chance. */
const minWord = 4;
/** Characters of the shortest run that counts as padding: three in a row occur in words (first, pots). */
const minRun = 4;

/** Rows of keyboards, and common paths across them. */
const walks = [
  'abcdefghijklmnopqrstuvwxyz',
  '1234567890',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
];

export interface BlocklistOptions {
  /** Code points of the shortest password that the rule accepts. */
  readonly minLength: number;
  /** Name and host of the service: `Example Accounts`, `accounts.example.org`. */
  readonly names: readonly string[];
}

/** The check of a password against common passwords and padding. */
export class Blocklist implements PasswordCheck {
  readonly finds = 'guessable';
  readonly #minRest: number;
  readonly #names: readonly string[];

  constructor({ minLength, names }: BlocklistOptions) {
    this.#minRest = Math.ceil(minLength / 2);
    this.#names = names;
  }

  /** Returns why the password is rejected; `undefined` if it is accepted. */
  async reasonAgainst(password: string, email: string): Promise<string | undefined> {
    const folded = fold(password);
    const common = await commonPasswords(this.#minRest);
    const isCommon = (text: string): boolean => common.includes(`\n${text}\n`);
    if (isCommon(folded)) return 'is one of the passwords that everybody tries first';
    const words = [...this.#names, email.slice(0, maxEmailUnits)].flatMap(wordsOf);
    const bare = smallestPeriod(withoutRuns(withoutWords(folded, words)));
    if (isCommon(bare)) return 'is little more than a password that everybody tries first';
    if (Array.from(bare).length < this.#minRest) {
      return 'is little more than your address, the name of this service, repetitions or keys in a row';
    }
    return undefined;
  }
}

/** By minimum length: the services of a process share them. */
const commonTexts = new Map<number, Promise<string>>();

/**
 * The common passwords that are long enough to matter, one per line: 18,000 of 49,000, as one text of 170 kB, which is
 * searched in some microseconds; an array of all of them would occupy 3 MB. So the package's file is read instead of
 * imported, once, at the first use.
 */
function commonPasswords(minLength: number): Promise<string> {
  const text = commonTexts.get(minLength) ?? readCommonPasswords(minLength);
  commonTexts.set(minLength, text);
  text.catch(() => commonTexts.delete(minLength)); // the next caller tries again
  return text;
}

async function readCommonPasswords(minLength: number): Promise<string> {
  const source = import.meta.resolve('@zxcvbn-ts/language-common/src/passwords.json');
  const passwords = JSON.parse(await readFile(fileURLToPath(source), 'utf8')) as string[]; // of a pinned package
  return `\n${passwords.filter(({ length }) => length >= minLength).join('\n')}\n`;
}

/** Normalizes full-width characters and ligatures (NFKC) and capitals. */
function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

/** Returns an address or a name as a whole, its parts around an @, and its words. */
function wordsOf(text: string): string[] {
  return [text, ...text.split('@'), ...text.split(/[^\p{L}\p{N}]+/u)];
}

function withoutWords(text: string, words: readonly string[]): string {
  const known = [...new Set(words.map(fold))].filter((word) => Array.from(word).length >= minWord);
  return known.reduce((rest, word) => rest.replaceAll(word, ''), text);
}

/** Steps from one character to the next along a walk, in either direction: bit n stands for the n-th of them. */
const steps: ReadonlyMap<string, number> = stepsOf(
  walks.flatMap((walk) => [Array.from(walk), Array.from(walk).toReversed()]),
);
/** All directions: a repeated character continues each of them. */
const everyWalk = -1;

/** Maps two characters in a row to the circular walks in which the second follows the first. There are at most 32. */
function stepsOf(directions: readonly (readonly string[])[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [bit, walk] of directions.entries())
    for (const [i, from] of walk.entries()) {
      const pair = `${from}${walk[(i + 1) % walk.length] ?? ''}`;
      found.set(pair, (found.get(pair) ?? 0) | (1 << bit));
    }
  return found;
}

/**
 * Returns the text without runs of one character, or of neighbors in the alphabet or on a keyboard, in one direction.
 */
function withoutRuns(text: string): string {
  const characters = Array.from(text);
  const rest: string[] = [];
  for (let i = 0; i < characters.length;) {
    const length = runLength(characters, i);
    if (length < minRun) {
      rest.push(characters[i] ?? '');
      i += 1;
    } else {
      i += length;
    }
  }
  return rest.join('');
}

/** Returns the length of the longest run at `start` whose characters repeat or follow one of the walks. */
function runLength(characters: readonly string[], start: number): number {
  let walksLeft = everyWalk;
  let end = start + 1;
  for (; end < characters.length; end += 1) {
    const [before = '', now = ''] = [characters[end - 1], characters[end]];
    walksLeft &= now === before ? everyWalk : (steps.get(before + now) ?? 0);
    if (walksLeft === 0) break;
  }
  return end - start;
}

/**
 * Returns the shortest prefix that, repeated and cut off, is the text: `abc` for `abcab`. The failure function of Knuth,
 * Morris and Pratt finds it in linear time: the text without its longest border.
 */
function smallestPeriod(text: string): string {
  const characters = Array.from(text);
  const borders = [0];
  for (let i = 1, border = 0; i < characters.length; i += 1) {
    while (border > 0 && characters[i] !== characters[border]) border = borders[border - 1] ?? 0;
    if (characters[i] === characters[border]) border += 1;
    borders[i] = border;
  }
  return characters.slice(0, characters.length - (borders.at(-1) ?? 0)).join('');
}

// Finds names in the environment that look like misspelt options. The environment also holds the variables of other
// programs, so only a name that is close to one of ours, or that no other program would use, counts.
import type { OptionTable } from './option.ts';
import { hasSecretFile } from './secret-file.ts';

/** Path of a TOML file with options. The environment takes precedence. */
export const fileVariable = 'BIENVENUE_CONFIG';

/** Some people write it in front of an option, which options do not have. */
const productPrefix = 'BIENVENUE_';
/** Beginnings of names that only this service uses. */
const ownPrefixes = [productPrefix, 'PRODUCT_'];
/** Beginnings that other programs use too, but next to this service rarely for anything but its options. */
const families = [/^SMTP_/, /^MAIL_/, /^DATABASE_/, /^COOKIE_/, /^SIGN_?UP/];
/** Variables that Kubernetes and Docker set about a service of that name. */
const ofServices = /_SERVICE_(?:HOST|PORT)(?:_\w+)?$|_PORT_\d+_(?:TCP|UDP)/;
/** Words that others use for one of ours. */
const synonyms: Readonly<Record<string, string>> = { FOLDER: 'DIR', DIRECTORY: 'DIR', PATH: 'DIR' };
/** The shortest name, without underscores, of which other spellings are looked for: SIGNUP. */
const minSpelled = 6;
/** In shorter names, such as HOST, one other letter makes a common word: POST. */
const minCharacters = 7;
/** From this length on, two wrong letters still leave no doubt. */
const longCharacters = 10;

/** Returns the names that the service reads. */
export function knownNames(table: OptionTable): Set<string> {
  const rows = Object.values(table);
  const files = rows.filter((row) => hasSecretFile(row, table)).map(({ env }) => `${env}_FILE`);
  return new Set([fileVariable, ...rows.map(({ env }) => env), ...files]);
}

/** Returns one sentence for each name that is probably meant to be an option, but is not. */
export function misspeltNames(names: Iterable<string>, table: OptionTable): string[] {
  const known = knownNames(table);
  return [...names].flatMap((name) => {
    if (known.has(name)) return [];
    const option = name.replace(/_FILE$/, '');
    if (option !== name && option.length >= minCharacters && known.has(option))
      return [`${name} has no effect: only a secret can be read from a file. Set ${option}.`];
    const beginning = `${name} is not an option and has no effect.`;
    const meant = nearest(name, known);
    if (meant !== undefined) return [`${beginning} Did you mean ${meant}?`];
    const family = families.find((each) => each.test(name) && !ofServices.test(name));
    const relatives = family === undefined ? [] : Object.values(table).filter(({ env }) => family.test(env));
    if (relatives.length > 0)
      return [`${beginning} Options with a similar name: ${relatives.map(({ env }) => env).join(', ')}.`];
    return ownPrefixes.some((prefix) => name.startsWith(prefix))
      ? [`${beginning} "bienvenue config" lists the options.`]
      : [];
  });
}

/** Returns one sentence for each secret that is given both as text and as a file, which is then not read. */
export function ignoredFiles(names: readonly string[], table: OptionTable): string[] {
  return Object.values(table)
    .filter(
      (row) => hasSecretFile(row, table) && names.includes(row.env) && names.includes(`${row.env}_FILE`),
    )
    .map(({ env }) => `${env}_FILE has no effect, because ${env} is set too. Remove one of them.`);
}

/** Returns one sentence for a key of a configuration file that is no option. */
export function wrongKey(key: string, file: string, table: OptionTable): string {
  const rows = Object.values(table);
  const secret = rows.find((row) => hasSecretFile(row, table) && key === `${row.env}_FILE`)?.env;
  if (secret !== undefined)
    return `${key} in ${file} has no effect: it works only in the environment. Set it there, or ${secret} in the file.`;
  // A file has no names of other programs.
  const meant = nearest(
    key,
    rows.map(({ env }) => env),
    1,
  );
  return `${key} in ${file} is not an option${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

/** Returns the known name that a name is probably meant to be. Names of less than `min` characters are left alone. */
export function nearest(name: string, known: Iterable<string>, min = minCharacters): string | undefined {
  if (name.startsWith(productPrefix)) {
    const bare = name.slice(productPrefix.length);
    const meant = [...known].includes(bare) ? bare : nearest(bare, known, min);
    if (meant !== undefined) return meant;
  }
  const spelled = spellingsOf(name, min);
  const other = [...known].find((candidate) =>
    spellingsOf(candidate, min).some((each) => spelled.includes(each)),
  );
  if (other !== undefined) return other;
  const near = nearestLetters(name.toUpperCase(), known, min);
  if (near !== undefined) return near;
  const [letters = ''] = spelled;
  const byLetters = new Map([...known].map((each) => [spellingsOf(each, min)[0] ?? each, each]));
  return byLetters.get(nearestLetters(letters, byLetters.keys(), min) ?? '');
}

/** Returns what two spellings of one name share: the letters without underscores, and the words in any order. */
function spellingsOf(name: string, min: number): string[] {
  const words = name
    .toUpperCase()
    .split('_')
    .map((word) => synonyms[word] ?? word.replace(/IES$/, 'Y').replace(/(?<!S)S$/, ''));
  const letters = words.join('');
  return letters.length < Math.min(min, minSpelled) ? [] : [letters, words.toSorted().join('_')];
}

function nearestLetters(name: string, known: Iterable<string>, min: number): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    if (Math.min(name.length, candidate.length) < min) continue;
    const most = Math.min(name.length, candidate.length) < longCharacters ? 1 : 2;
    const distance = editDistance(name, candidate, most);
    if (distance <= most && distance < (best?.distance ?? Infinity)) best = { name: candidate, distance };
  }
  return best?.name;
}

/**
 * Returns the number of letters that are missing, too many, wrong or swapped with their neighbor (optimal string
 * alignment distance); `most` + 1 if there are more than `most`.
 */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + cost,
        isSwap ? (before[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    // No later row can be less than the least of two rows.
    if (Math.min(...row, ...last) > most) return most + 1;
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}

// Finds names in the environment that look like misspelled options. The environment also holds the variables of other
// programs, so only a name that is close to one of ours, or that no other program would use, counts.
import { minCharacters, nearest, productPrefix } from '../kit/text/near-name.ts';
import type { OptionTable } from './option.ts';
import { hasSecretFile } from './secret-file.ts';

/** Path of a TOML file with options. The environment takes precedence. */
export const fileVariable = 'BIENVENUE_CONFIG';

/** Beginnings of names that only this service uses. */
const ownPrefixes = [productPrefix, 'PRODUCT_'];
/** Beginnings that other programs use too, but next to this service rarely for anything but its options. */
const families = [/^SMTP_/, /^MAIL_/, /^DATABASE_/, /^COOKIE_/, /^SIGN_?UP/];
/** Variables that Kubernetes and Docker set about a service of that name. */
const ofServices = /_SERVICE_(?:HOST|PORT)(?:_\w+)?$|_PORT_\d+_(?:TCP|UDP)/;

/** Returns the names that the service reads. */
export function knownNames(table: OptionTable): Set<string> {
  const rows = Object.values(table);
  const files = rows.filter((row) => hasSecretFile(row, table)).map(({ env }) => `${env}_FILE`);
  return new Set([fileVariable, ...rows.map(({ env }) => env), ...files]);
}

/** Returns one sentence for each name that is probably meant to be an option, but is not. */
export function misspelledNames(names: Iterable<string>, table: OptionTable): string[] {
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

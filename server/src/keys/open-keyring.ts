// Opens the keys that the options name, and holds them against the database: every key that it was ever used with must
// be there, and be the same. Otherwise the start is refused, instead of every secret being wrong from then on.
import type { Clock } from '../kit/clock.ts';
import { Keyring, KeysRefused, parseKeys, type Key } from '../kit/keyring.ts';
import type { Database } from '../db/database.ts';
import { addKeyToFile, createKeyFile, readKeyFile } from './key-file.ts';
import { addKeyCheck, listKeyChecks, lockKeyChecks, type KeyCheck } from './key-check-store.ts';

/** Where the keys are. */
export interface KeySource {
  /** Text of the keys; goes before the file. */
  readonly secretKey: string | undefined;
  readonly secretKeyFile: string;
}

/**
 * The keys of the service. The first start makes a key file where there is none; new keys are made known to the
 * database.
 * @throws {KeysRefused} when the keys are not those that the database was used with; nothing is changed.
 */
export async function openKeyring(source: KeySource, database: Database, clock: Clock): Promise<Keyring> {
  const ring = (await checkKeys(source, database)) ?? new Keyring(createKeyFile(source.secretKeyFile));
  const known = await listKeyChecks(database);
  requireKeys(known, ring, source);
  const isNew = ring.ids.some((id) => !known.some((check) => check.id === id));
  if (isNew) await database.transaction((tx) => remember(tx, ring, source, clock()));
  return ring;
}

async function remember(tx: Database, ring: Keyring, source: KeySource, now: number): Promise<void> {
  await lockKeyChecks(tx);
  const known = await listKeyChecks(tx);
  requireKeys(known, ring, source); // once more: another instance may have been first
  for (const [id, checkValue] of ring.checkValues()) {
    if (!known.some((check) => check.id === id)) await addKeyCheck(tx, { id, checkValue }, now);
  }
}

/**
 * The keys as they are, held against the database; `undefined` when neither has one yet. Changes nothing.
 * @throws {KeysRefused}
 */
export async function checkKeys(source: KeySource, database: Database): Promise<Keyring | undefined> {
  const keys = readKeys(source);
  const known = await listKeyChecks(database);
  if (keys !== undefined) {
    const ring = new Keyring(keys);
    requireKeys(known, ring, source);
    return ring;
  }
  if (known.length === 0) return undefined;
  throw new KeysRefused(
    `The key file ${source.secretKeyFile} is missing, but the database contains data encrypted with ${namesOf(known)}. Restore the file from a backup; a new key cannot decrypt the data.`,
  );
}

/**
 * The keys, the current one first; `undefined` when no file is there yet.
 * @throws {KeysRefused}
 */
export function readKeys({ secretKey, secretKeyFile }: KeySource): Key[] | undefined {
  return secretKey === undefined ? readKeyFile(secretKeyFile) : parseKeys(secretKey);
}

/**
 * Makes a new key the current one, in front of the others in the file, and returns them all.
 * @throws {KeysRefused} when the keys are not in a file, or it cannot be written.
 */
export function rotateKeys({ secretKey, secretKeyFile }: KeySource): Key[] {
  if (secretKey !== undefined) {
    throw new KeysRefused(
      'The keys are in SECRET_KEY, which this command cannot change. Add a new key in front of the others, followed by a comma.',
    );
  }
  return addKeyToFile(secretKeyFile);
}

/** @throws {KeysRefused} unless the ring holds every known key. */
function requireKeys(
  known: readonly KeyCheck[],
  ring: Keyring,
  { secretKey, secretKeyFile }: KeySource,
): void {
  const values = ring.checkValues();
  const where = secretKey === undefined ? `The key file ${secretKeyFile}` : 'SECRET_KEY';
  const lacking = known.filter(({ id }) => !values.has(id));
  if (lacking.length > 0) {
    throw new KeysRefused(
      `${where} does not contain ${namesOf(lacking)}, which the database uses. Provide the keys of this database; all instances need the same keys.`,
    );
  }
  const other = known.filter(({ id, checkValue }) => values.get(id) !== checkValue);
  if (other.length > 0) {
    throw new KeysRefused(
      `${where} contains a different secret under ${namesOf(other)} than the database uses. Provide the keys of this database.`,
    );
  }
}

function namesOf(checks: readonly KeyCheck[]): string {
  return `the ${checks.length === 1 ? 'key' : 'keys'} ${checks.map(({ id }) => id).join(', ')}`;
}

// Opens the keys that the options name and compares them with the database: every key that the database was ever used
// with must be present and unchanged. Otherwise the service does not start, because it could not decrypt its secrets.
import type { Clock } from '../kit/clock.ts';
import { Keyring, KeysRefused, parseKeys, type Key } from '../kit/keyring.ts';
import type { Database } from '../db/database.ts';
import { addKeyToFile, createKeyFile, readKeyFile } from './key-file.ts';
import { addKeyCheck, listKeyChecks, lockKeyChecks, type KeyCheck } from './key-check-store.ts';

/** Where the keys are. */
export interface KeySource {
  /** Text of the keys. It takes precedence over the file. */
  readonly secretKey: string | undefined;
  readonly secretKeyFile: string;
}

/**
 * Opens the keys of the service. The first start creates the key file; the check values of new keys are stored in the
 * database.
 * @throws {KeysRefused} if the keys are not those that the database was used with; nothing is changed.
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
  requireKeys(known, ring, source); // checked again under the lock: another instance may have been first
  for (const [id, checkValue] of ring.checkValues()) {
    if (!known.some((check) => check.id === id)) await addKeyCheck(tx, { id, checkValue }, now);
  }
}

/**
 * Compares the keys with the database without changing anything. Returns `undefined` if there are no keys yet.
 * @throws {KeysRefused} if a key that the database uses is missing or different.
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
 * Reads the keys, the current key first; `undefined` if the key file does not exist yet.
 * @throws {KeysRefused} if they cannot be read or are malformed.
 */
export function readKeys({ secretKey, secretKeyFile }: KeySource): Key[] | undefined {
  return secretKey === undefined ? readKeyFile(secretKeyFile) : parseKeys(secretKey);
}

/**
 * Adds a new current key in front of the other keys in the file and returns all of them.
 * @throws {KeysRefused} if the keys are not in a file, or the file cannot be written.
 */
export function rotateKeys({ secretKey, secretKeyFile }: KeySource): Key[] {
  if (secretKey !== undefined) {
    throw new KeysRefused(
      'The keys are in SECRET_KEY, which this command cannot change. Add a new key in front of the others, followed by a comma.',
    );
  }
  return addKeyToFile(secretKeyFile);
}

/** @throws {KeysRefused} if the ring does not contain every known key. */
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

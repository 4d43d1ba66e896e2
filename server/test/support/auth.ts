// Class Auth on a database that is empty before each test, with a clock under the test's control and cheap hashes.
import { Audit } from '../../src/audit/audit.ts';
import { Auth, type AuthOptions } from '../../src/library/auth.ts';
import type { Database } from '../../src/db/database.ts';
import { digest, equalDigests } from '../../src/kit/secret.ts';
import { DB } from '../../src/library/db.ts';
import { testClock, type TestClock } from './clock.ts';
import { sharedHasher } from './hashing.ts';
import { useDatabase, type EngineName } from './engines.ts';

export interface AuthUnderTest {
  readonly auth: Auth;
  readonly db: DB;
  readonly database: Database;
  readonly clock: TestClock;
  /** Events that were recorded since the test began. */
  readonly audit: Audit;
}

/** Digests of audit events without a key. */
const mac = {
  sign: (text: string): string => Buffer.from(digest(text)).toString('base64url'),
  check: (text: string, given: string): boolean =>
    equalDigests(digest(text), Buffer.from(given, 'base64url')),
};

/** Options of one test. */
export interface AuthTestOptions extends Partial<Omit<AuthOptions, 'db'>> {
  /** Wraps the database that `Auth` gets. */
  readonly through?: (database: Database) => Database;
}

/** Creates the class for each test of a suite: `const makeAuth = useAuth(engine)`, and in a test `makeAuth()`. */
export function useAuth(engine: EngineName): (options?: AuthTestOptions) => AuthUnderTest {
  const opened = useDatabase(engine);
  return ({ through = (database: Database): Database => database, ...options } = {}) => {
    const clock = testClock();
    const { database } = opened();
    const db = new DB(through(database), clock.now);
    const audit = new Audit({ database, mac, clock: clock.now, keptDays: 1 });
    return {
      auth: new Auth({ db, hasher: sharedHasher, clock: clock.now, audit, ...options }),
      db,
      database,
      clock,
      audit,
    };
  };
}

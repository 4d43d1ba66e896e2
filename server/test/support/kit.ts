// A feature's part of the tests that run for every feature. `features/<name>/test/kit.ts` exports it as `kit`; the
// tests loop over the kits found, so that adding or deleting a feature needs no edit here.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import type { Database } from '../../src/db/database.ts';
import type { Keyring } from '../../src/kit/keyring.ts';
import type { SecondFactor } from '../../src/identity/factor/factor.ts';
import type { FindingCode } from '../../src/identity/sign-in-facts.ts';
import type { User } from '../../src/user/user.ts';
import type { Auth } from '../../src/library/auth.ts';
import type { Session } from '../../src/identity/session/session-entry.ts';
import type { Arena } from '../races/arena.ts';
import type { Pair, Stage } from '../races/order-stage.ts';
import type { Browser } from './browser.ts';
import type { TestService } from './service.ts';
import type { Member, PublicService } from './public-service.ts';
import type { Fields, Reply } from './request.ts';

/** The clock of the service under test, in Unix milliseconds. */
interface KitClock {
  readonly now: () => number;
  readonly advance: (ms: number) => void;
}

/** Routes that accept a factor: for a pending authentication, and for a step-up. */
type FactorPath = '/sessions/factor' | '/sessions/step_up';

/** A factor of an account. */
export interface EnrolledFactor {
  /** Returns a valid authenticator output that was not used yet. */
  output(browser: Browser, path: FactorPath): Promise<string>;
  /** Removes it in a session with a recent authentication; absent if it cannot be removed by itself. */
  remove?(browser: Browser): Promise<Reply>;
  /** Secrets that must not occur in any log, export or database in plain text. */
  readonly secrets: readonly string[];
}

/** How to enroll and use a second factor. */
export interface FactorKit {
  /** Its name in requests. */
  readonly name: string;
  /** It replaces a lost factor, and is enrolled after another one. */
  readonly isBackup: boolean;
  /** The authenticator of the kit verifies its user, so that one output proves two factors. */
  readonly verifiesUser?: boolean;
  /** An output that is wrong for every account. */
  readonly wrong: string;
  /** Enrolls it in a session, or in a pending authentication that must enroll one. */
  enroll(
    browser: Browser,
    where: { readonly clock: KitClock; readonly origin: string },
  ): Promise<EnrolledFactor>;
}

/** A race on the feature's own data (server/test/races). */
interface KitRace {
  readonly title: string;
  /** Other races cover its parts too: fewer rounds suffice. */
  readonly isRare: boolean;
  /** Creates a race, whose rounds share one account. A backup is enrolled after the factor. */
  readonly create: (factor: FactorKit) => (arena: Arena, round: number) => Promise<void>;
}

/** An enrollment without HTTP, to be interleaved step by step (server/test/races/interleaving.ts). */
interface KitEnrollment {
  readonly factorOn: (database: Database) => SecondFactor;
  readonly work: (tx: Database, user: User) => Promise<void>;
}

/** A pair of parallel actions, in every order of their steps (server/test/races/orders.ts). */
export interface KitOrder {
  readonly title: string;
  readonly set: (stage: Stage) => Promise<Pair>;
  /** The rules send mails. */
  readonly isPublic: boolean;
}

/** A service with thousands of users, whose statements are recorded. */
export interface PlanStage {
  readonly auth: () => Auth;
  readonly database: () => Database;
  readonly now: () => number;
  /** A session of the n-th user. */
  readonly user: (n: number) => Promise<Session>;
}

/** Work whose statements must read no whole table (server/src/identity/plan.test.ts). */
interface KitPlan {
  readonly title: string;
  readonly work: (stage: PlanStage) => Promise<void>;
  /** Indices that the statements use. */
  readonly indices: readonly RegExp[];
}

/** Columns of a table, as words. */
export interface TableColumns {
  /** In no export, in no form. */
  readonly secret: string;
  readonly other: string;
}

/** An attack that only this feature can suffer, by its code; a test of the feature has a title that begins with it. */
interface KitAttack {
  readonly row: string;
  readonly title: string;
}

/** A browser with a signed-in user, whose pages are drawn (tools/screenshots.ts) or checked. */
export interface DrawStage {
  readonly service: TestService;
  readonly origin: string;
  readonly page: Page;
  /** Takes a picture of the current page. */
  readonly draw: (name: string) => Promise<void>;
  /** The browser may go to this origin. */
  readonly allow: (origin: string) => void;
}

/** Prepares a change; returns the fields of its request, and the path if the route has parameters. */
export type PreparedChange = (
  service: PublicService,
  user: Member & { readonly browser: Browser },
) => Promise<{ path?: string; fields?: Fields }>;

export interface FeatureKit {
  /** Name of its folder. */
  readonly feature: string;
  readonly factor?: FactorKit;
  readonly races?: readonly KitRace[];
  readonly enrollment?: KitEnrollment;
  readonly orders?: readonly KitOrder[];
  readonly plans?: readonly KitPlan[];
  readonly attacks?: readonly KitAttack[];
  /** Columns of its tables that have rows of users. */
  readonly columns?: Readonly<Record<string, TableColumns>>;
  /** Shows each of its pages in each state. */
  readonly draw?: (stage: DrawStage) => Promise<void>;
  /**
   * Adds a row of a user to each of its tables in `columns` that has none: those of a factor that enrolling it leaves
   * empty, and all of another feature.
   */
  readonly addRowsOf?: (db: Database, userId: number, keyring: Keyring) => Promise<void>;
  /** Adds a row with each of its encrypted columns to a database that has a user. */
  readonly addSecrets?: (db: Database, keyring: Keyring) => Promise<void>;
  /** Its tables without rows of users. */
  readonly otherTables?: readonly string[];
  /** Values of its options that cannot work, by option (server/src/app/option-values.test.ts). */
  readonly wrongOptions?: Readonly<Record<string, readonly string[]>>;
  /** Fields of each form of its pages, by path (server/test/attacks/page-form.test.ts). */
  readonly forms?: Readonly<Record<string, Fields>>;
  /** Its routes that change a credential, or what the session has proved (server/test/attacks/session-renewal.test.ts). */
  readonly renewals?: Readonly<Record<string, PreparedChange>>;
  /** Its routes of signed-in users that change something else, such as `POST /account/sessions` (the same test). */
  readonly keepsSession?: readonly string[];
  /**
   * Its routes that change something and need no session, with the status without a credential
   * (server/test/attacks/account-matrix.test.ts). A route that takes an address of an account needs a row in that test.
   */
  readonly publicRoutes?: Readonly<Record<string, number>>;
  /** Problems of a sign-in that its factor throws, with the findings that explain them (`bienvenue user why`). */
  readonly signInProblems?: Readonly<Record<string, readonly FindingCode[]>>;
}

const source = join(import.meta.dirname, '../../src');

async function loadKits(): Promise<FeatureKit[]> {
  const files = globSync('features/*/test/kit.ts', { cwd: source }).toSorted();
  const loaded: FeatureKit[] = [];
  for (const file of files) {
    const { kit } = (await import(pathToFileURL(join(source, file)).href)) as { kit: FeatureKit }; // its own type says so
    loaded.push(kit);
  }
  return loaded;
}

/** The kits of all features. */
export const kits: readonly FeatureKit[] = await loadKits();

/** Returns the entries of a record of each kit, in one record. */
export function fromKits<T>(
  recordOf: (kit: FeatureKit) => Readonly<Record<string, T>> | undefined,
): Readonly<Record<string, T>> {
  return Object.fromEntries(kits.flatMap((kit) => Object.entries(recordOf(kit) ?? {})));
}

/** The factors among them: those that are no backup first. */
export const factorKits: readonly FactorKit[] = kits
  .flatMap(({ factor }) => factor ?? [])
  .toSorted((one, other) => Number(one.isBackup) - Number(other.isBackup));

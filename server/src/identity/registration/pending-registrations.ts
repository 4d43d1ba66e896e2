// Keeps registrations of an address that is not confirmed. Anyone can register any address, so what is confirmed (the
// address) and what opens the account (a password or a passkey) must belong together: one registration takes effect, that
// of the browser in which the address is confirmed or that of a given password, and the others are removed. Otherwise the
// owner would confirm the password of an attacker who registered the address as well (account pre-hijacking).
import { generateUuid } from '../../kit/id.ts';
import { digest, equalDigests } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import type { AuditSource } from '../../audit/event.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import {
  lockExpiredProvisionalUsers,
  lockProvisionalUser,
  provisionalMs,
} from '../../user/provisional-store.ts';
import type { AuthContext } from '../context.ts';
import type { Purgeable, Revocable } from '../contribution.ts';
import { removeAccount, type RemovalNeeds } from '../removal.ts';
import { registrationEvents } from './event.ts';
import {
  addRegistration,
  extendRegistrations,
  listRegistrations,
  removeExpiredRegistrations,
  removeRegistrationsOf,
  takeRegistration,
  type PendingRegistration,
} from './store.ts';

/**
 * Registrations that are kept for an account. A stranger can register an address again and again, and the owner's own
 * registration must survive that until it is confirmed. The number costs no time: the passwords of an account share a
 * salt, so that one hash compares with all of them.
 */
const keptPerAccount = 100;
/**
 * Registrations whose hash has another salt or cost, because keys or options have changed since: each costs a
 * verification of its own, so only the newest are compared.
 */
const comparedAlone = 3;
const saltBytes = 16;
/** Accounts that a purge removes in one transaction. */
const removedTogether = 100;

export type { PendingRegistration } from './store.ts';

/** What a registration opens once it is confirmed: a password, or an authenticator of a factor. */
export interface RegisteredAuthenticator {
  readonly hashedPassword: string | null;
  readonly factor?: string;
  /** The authenticator as text, in the form that its factor reads. */
  readonly credential?: string;
}

/** A registration of an address. */
interface Registration {
  readonly address: EmailAddress;
  readonly authenticator: RegisteredAuthenticator;
  /** Token of the initiating browser; `undefined` for a program without cookies. */
  readonly requestToken: string | undefined;
}

export class PendingRegistrations implements Revocable, Purgeable {
  readonly name = 'pending registrations';
  readonly kind = 'registration';
  readonly #context: AuthContext;
  readonly #needs: RemovalNeeds;

  constructor(context: AuthContext, needs: RemovalNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * Hashes the password of a registration. All passwords for one address have the same salt, which is secret and differs
   * between addresses.
   * @throws {Problem} too_busy.
   */
  hash({ key }: EmailAddress, password: string): Promise<string> {
    const { codes, hasher } = this.#context;
    return hasher.hash(password, {
      salt: digest(codes.sign(`registration salt:${key}`)).slice(0, saltBytes),
    });
  }

  /**
   * Adds a registration; it replaces that of the same browser. Constant work: with `noUserId` it stores nothing. Inside a
   * transaction that has locked the user.
   */
  async add(
    tx: Database,
    userId: number,
    { address, authenticator, requestToken }: Registration,
  ): Promise<void> {
    const now = this.#context.clock();
    const registration = {
      id: generateUuid(),
      userId,
      email: address.text,
      hashedPassword: authenticator.hashedPassword,
      factor: authenticator.factor ?? null,
      credential: authenticator.credential ?? null,
      browserHash: requestToken === undefined ? null : digest(requestToken),
      now,
      expiresAt: now + provisionalMs,
    };
    await addRegistration(tx, registration, keptPerAccount);
  }

  /** Keeps the registrations of an account for as long as the token that can confirm them. Inside a transaction. */
  async extend(tx: Database, userId: number): Promise<void> {
    await extendRegistrations(tx, userId, this.#context.clock() + provisionalMs);
  }

  /** Lists the registrations of an account, the newest first. */
  list(userId: number, db: Database = this.#context.db): Promise<PendingRegistration[]> {
    return listRegistrations(db, userId, this.#context.clock());
  }

  /** Returns the registration with this password. Costs one hash, and a few more after keys or options have changed. */
  async findByPassword(
    registrations: readonly PendingRegistration[],
    address: EmailAddress,
    password: string,
  ): Promise<PendingRegistration | undefined> {
    const { hasher } = this.#context;
    const hashed = await this.hash(address, password);
    const others: PendingRegistration[] = [];
    for (const registration of registrations) {
      const { hashed_password: known } = registration;
      if (known === null) continue;
      if (equalDigests(digest(known), digest(hashed))) return registration;
      if (settingsOf(known) !== settingsOf(hashed)) others.push(registration);
    }
    for (const registration of others.slice(0, comparedAlone))
      if ((await hasher.verify(registration.hashed_password, password)).matches) return registration;
    return undefined;
  }

  /** Removes a registration that is confirmed; returns false if it was removed or replaced. Inside a transaction. */
  take(tx: Database, { id }: PendingRegistration): Promise<boolean> {
    return takeRegistration(tx, id);
  }

  /** Removes the registrations of an account. Inside a transaction. */
  revokeAll(tx: Database, userId: number): Promise<void> {
    return removeRegistrationsOf(tx, userId);
  }

  /**
   * Removes the provisional account that has this address, because another account gets it. Any other account stays.
   * Inside a transaction.
   */
  async release(tx: Database, address: EmailAddress, source: AuditSource): Promise<void> {
    const id = await lockProvisionalUser(tx, address);
    if (id === undefined) return;
    await removeAccount(tx, id, this.#needs);
    await this.#context.events.emit(tx, registrationEvents.registration_released, { user: { id }, source });
  }

  /** Removes up to `limit` expired registrations and provisional accounts and returns how many. */
  async purge(limit: number): Promise<number> {
    const { db, clock } = this.#context;
    const now = clock();
    let total = await removeExpiredRegistrations(db, now, limit);
    for (let removed = removedTogether; removed === removedTogether && total < limit; total += removed)
      removed = await this.#removeAccounts(now, Math.min(removedTogether, limit - total));
    return total;
  }

  #removeAccounts(now: number, limit: number): Promise<number> {
    const { db, events } = this.#context;
    return db.transaction(async (tx) => {
      const ids = await lockExpiredProvisionalUsers(tx, now, limit);
      for (const id of ids) {
        await removeAccount(tx, id, this.#needs);
        await events.emit(tx, registrationEvents.registration_expired, {
          user: { id },
          source: { actor: 'service' },
        });
      }
      return ids.length;
    });
  }
}

/** Returns the registration that was made in the browser with this token. */
export function registrationOfBrowser(
  registrations: readonly PendingRegistration[],
  requestToken: string | undefined,
): PendingRegistration | undefined {
  if (requestToken === undefined) return undefined;
  const hash = digest(requestToken);
  return registrations.find(({ browser_hash: known }) => known !== null && equalDigests(known, hash));
}

/** Returns everything of a PHC string but the digest: algorithm, cost and salt. */
function settingsOf(hashed: string): string {
  return hashed.slice(0, hashed.lastIndexOf('$'));
}

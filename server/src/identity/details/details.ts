// The details of a user, for applications and for claims: who the user is to other systems, and what they show.
import { UniqueViolation, type Database } from '../../db/database.ts';
import {
  requireExternalId,
  requireMetadata,
  requireName,
  requirePicture,
  type DetailsChange,
  type Metadata,
} from '../../user/details.ts';
import { fillSubject, findMetadata, updateDetails, updateMetadata } from '../../user/details-store.ts';
import { findUserById, lockUser } from '../../user/store.ts';
import { ValueError, type User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { detailsEvents } from './event.ts';

/** The details of a user. */
export interface UserDetails extends Metadata {
  readonly id: number;
  /** Opaque stable identifier for applications. */
  readonly subject: string;
  readonly externalId: string | null;
  readonly email: string;
  readonly isEmailVerified: boolean;
  readonly name: string | null;
  readonly picture: string | null;
  /** Language tag (BCP 47); null if unknown. */
  readonly locale: string | null;
}

/** New details as they are given. A missing member stays as it is; null and empty text remove it. */
export interface NewDetails {
  readonly name?: string | null | undefined;
  readonly picture?: string | null | undefined;
  readonly externalId?: string | null | undefined;
  readonly publicMetadata?: object | null | undefined;
  readonly privateMetadata?: object | null | undefined;
}

/** Names of the details on the wire and in events. */
const fieldNames = {
  name: 'name',
  picture: 'picture',
  externalId: 'external_id',
  publicMetadata: 'metadata',
  privateMetadata: 'private_metadata',
} as const satisfies Record<keyof NewDetails, string>;

/** Reads and changes the details of users. */
export class Details {
  readonly #context: AuthContext;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  /** Returns the subject of a user; `undefined` if the user was removed. A user of an older release gets one here. */
  async subjectOf({
    userId,
    subject,
  }: {
    readonly userId: number;
    readonly subject: string | null;
  }): Promise<string | undefined> {
    return subject ?? fillSubject(this.#context.db, userId);
  }

  /** Returns the details of a user; `undefined` if no user has the id. */
  async find(userId: number): Promise<UserDetails | undefined> {
    const { db } = this.#context;
    if (!Number.isSafeInteger(userId)) return undefined; // PostgreSQL would reject the number
    const user = await findUserById(db, userId);
    return user && this.#describe(db, user);
  }

  /**
   * Changes details of a user, all or none, and returns them; `undefined` if no user has the id. The caller decides
   * which details its client may change.
   * @throws {Problem} invalid_request that names the invalid field; nothing changes.
   * @throws {ValueError} if another user has the external id; nothing changes.
   */
  async change(userId: number, given: NewDetails, source: ClientSource): Promise<UserDetails | undefined> {
    const change = validated(given);
    if (!Number.isSafeInteger(userId)) return undefined;
    try {
      return await this.#context.db.transaction(async (tx) => {
        const user = await lockUser(tx, userId);
        if (user === undefined) return undefined;
        const fields = changedFields(change, { ...user, ...(await findMetadata(tx, userId)) });
        if (fields.length > 0) {
          await updateDetails(tx, userId, change);
          await updateMetadata(tx, userId, change);
          const { events } = this.#context;
          await events.emit(tx, detailsEvents.details_changed, { user, facts: { fields }, source });
        }
        return this.#describe(tx, { ...user, ...change });
      });
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error;
      throw new ValueError('Another user has this external id', { cause: error });
    }
  }

  /** @param db Inside a transaction, the transaction. */
  async #describe(db: Database, user: User): Promise<UserDetails | undefined> {
    const subject = user.subject ?? (await fillSubject(db, user.id));
    if (subject === undefined) return undefined;
    const { id, externalId, email, emailVerifiedAt, name, picture, language } = user;
    const own = { id, subject, externalId, email, name, picture };
    return {
      ...own,
      isEmailVerified: emailVerifiedAt !== null,
      locale: language,
      ...(await findMetadata(db, id)),
    };
  }
}

/** @throws {Problem} invalid_request. */
function validated(given: NewDetails): DetailsChange {
  const { name, picture, externalId, publicMetadata, privateMetadata } = given;
  return {
    ...(name !== undefined && { name: requireName(name ?? '') }),
    ...(picture !== undefined && { picture: requirePicture(picture ?? '') }),
    ...(externalId !== undefined && { externalId: requireExternalId(externalId ?? '') }),
    ...(publicMetadata !== undefined && {
      publicMetadata: publicMetadata && requireMetadata(fieldNames.publicMetadata, publicMetadata),
    }),
    ...(privateMetadata !== undefined && {
      privateMetadata: privateMetadata && requireMetadata(fieldNames.privateMetadata, privateMetadata),
    }),
  };
}

/** Returns the names of the details that a change gives another value. */
function changedFields(change: DetailsChange, former: Omit<User, 'id'> & Metadata): string[] {
  return Object.entries(fieldNames)
    .filter(([key]) => {
      const name = key as keyof NewDetails;
      return (
        change[name] !== undefined &&
        JSON.stringify(change[name] ?? {}) !== JSON.stringify(former[name] ?? {})
      );
    })
    .map(([, name]) => name);
}

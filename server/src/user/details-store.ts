// Reads and writes the details of users: subject, external id, name, picture and metadata.
import type { Database, Sql } from '../db/database.ts';
import { statementsFor } from '../db/statement.ts';
import { noMetadata, parseMetadata, type DetailsChange, type Metadata } from './details.ts';
import { toUser, userColumns, type UserTables } from './schema.ts';
import { newSubject } from './new-user-store.ts';
import type { User } from './user.ts';

const { lookup, statement } = statementsFor<UserTables>();

const setSubject = statement((sql, p: { id: number; subject: string }) =>
  sql
    .updateTable('users')
    .set(({ fn, ref, val }) => ({ subject: fn.coalesce(ref('subject'), val(p.subject)) }))
    .where('id', '=', p.id)
    .returning('subject'),
);

/**
 * Returns the subject of a user, and gives a new one to a user without; `undefined` if no user has the id. One statement
 * decides: of concurrent calls, also of several instances, all return the subject that the first one stored.
 */
export async function fillSubject(db: Database, id: number): Promise<string | undefined> {
  return (await db.first(setSubject, { id, subject: newSubject() }))?.subject ?? undefined;
}

const selectBySubject = lookup((sql, isKey) =>
  sql
    .selectFrom('users')
    .select(userColumns)
    .select((eb) => eb.ref('subject').$notNull().as('lookup_key'))
    .where(isKey('subject')),
);

export async function findUserBySubject(db: Database, subject: string): Promise<User | undefined> {
  const row = await db.find(selectBySubject, subject);
  return row && toUser(row);
}

const selectByExternalId = statement((sql, p: { externalId: string }) =>
  sql.selectFrom('users').select(userColumns).where('external_id', '=', p.externalId),
);

export async function findUserByExternalId(db: Database, externalId: string): Promise<User | undefined> {
  const row = await db.first(selectByExternalId, { externalId });
  return row && toUser(row);
}

/**
 * Sets those columns of a user that are given; null empties one.
 * @throws {UniqueViolation} if another user has the external id.
 */
export async function updateDetails(
  db: Database,
  id: number,
  { name, picture, externalId }: DetailsChange,
): Promise<void> {
  if (name === undefined && picture === undefined && externalId === undefined) return;
  await db.query((sql: Sql<UserTables>) =>
    sql
      .updateTable('users')
      .set({
        ...(name !== undefined && { name }),
        ...(picture !== undefined && { picture }),
        ...(externalId !== undefined && { external_id: externalId }),
      })
      .where('id', '=', id),
  );
}

const selectMetadata = statement((sql, p: { id: number }) =>
  sql.selectFrom('user_metadata').select(['public_metadata', 'private_metadata']).where('user_id', '=', p.id),
);

/** Returns the metadata of a user, which may be empty. */
export async function findMetadata(db: Database, id: number): Promise<Metadata> {
  const row = await db.first(selectMetadata, { id });
  if (row === undefined) return noMetadata;
  return {
    publicMetadata: parseMetadata(row.public_metadata),
    privateMetadata: parseMetadata(row.private_metadata),
  };
}

/** Replaces those objects of the metadata of a user that are given; null empties one. */
export async function updateMetadata(
  db: Database,
  id: number,
  { publicMetadata, privateMetadata }: DetailsChange,
): Promise<void> {
  const columns = {
    ...(publicMetadata !== undefined && { public_metadata: textOf(publicMetadata) }),
    ...(privateMetadata !== undefined && { private_metadata: textOf(privateMetadata) }),
  };
  if (Object.keys(columns).length === 0) return;
  await db.query((sql: Sql<UserTables>) =>
    sql
      .insertInto('user_metadata')
      .values({ user_id: id, public_metadata: null, private_metadata: null, ...columns })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet(columns)),
  );
}

function textOf(metadata: object | null): string | null {
  return metadata === null ? null : JSON.stringify(metadata);
}

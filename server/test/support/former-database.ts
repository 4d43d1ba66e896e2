// A database written by commit 4f8c6a4: its single list of migrations, verbatim, and the rows of a service with one
// user, a second factor and an unsent mail. The keys protect nothing else.
import type { Database, TypeNames } from '../../src/db/database.ts';
import former from './former-database.json' with { type: 'json' };

/** The key of the rows. */
export const formerKey = former.secretKey;
/** Secrets of the user: seed of the authenticator app, and the token of the session. */
export const formerSecrets = { seed: former.secret, session: former.sessionToken };
/** The rows of each table; bytes are `{ hex }`. */
export const formerTables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> =
  former.tables;

/** Writes the schema after the given number of migrations; after all of them, the rows too. */
export async function writeFormerDatabase(db: Database, steps = formerSteps.length): Promise<void> {
  const { integer, table } = db.engine.types;
  await db.execute(
    `create table bienvenue_schema (id ${integer} not null primary key, version ${integer} not null) ${table}`,
  );
  for (const step of formerSteps.slice(0, steps))
    for (const text of step.statements(db.engine.types)) await db.execute(text);
  if (steps < formerSteps.length) {
    await db.execute(`insert into bienvenue_schema values (1, ${steps})`);
    return;
  }
  await db.execute('delete from audit_chain');
  for (const [name, rows] of Object.entries(formerTables)) {
    for (const row of rows) {
      const values = Object.values(row).map((value) => literal(db, value));
      await db.execute(`insert into ${name} (${Object.keys(row).join()}) values (${values.join()})`);
    }
  }
  if (db.engine.name === 'postgres')
    await db.execute(`select setval(pg_get_serial_sequence('users', 'id'), (select max(id) from users))`);
}

function literal({ engine }: Database, value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  const { hex } = value as { hex: string }; // the only other kind in the file
  return engine.name === 'postgres' ? String.raw`'\x${hex}'` : `x'${hex}'`;
}

export const formerSteps: readonly {
  readonly name: string;
  readonly statements: (type: TypeNames) => readonly string[];
}[] = [
  {
    name: 'users, sessions and one-time tokens',
    statements: (type) => [
      `create table users (
        id ${type.serial},
        email ${type.text} not null,
        email_key ${type.text} not null,
        hashed_password ${type.text},
        created_at ${type.instant} not null,
        password_changed_at ${type.instant} not null,
        email_verified_at ${type.instant},
        disabled_at ${type.instant}
      ) ${type.table}`,
      `create unique index users_by_email_key on users (email_key)`,
      `create table sessions (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        secret_hash ${type.bytes} not null,
        created_at ${type.instant} not null,
        last_seen_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index sessions_by_user on sessions (user_id, created_at)`,
      `create index sessions_by_expiry on sessions (expires_at)`,
      `create table one_time_tokens (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        kind ${type.text} not null,
        secret_hash ${type.bytes} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null,
        spent_at ${type.instant}
      ) ${type.keyedTable}`,
      `create unique index one_time_tokens_by_user on one_time_tokens (user_id, kind)`,
      `create index one_time_tokens_by_expiry on one_time_tokens (expires_at)`,
    ],
  },
  {
    name: 'attempts and known devices',
    statements: (type) => [
      `create table attempts (
        subject ${type.text} not null,
        factor ${type.text} not null,
        failures ${type.integer} not null,
        last_at ${type.instant} not null,
        next_at ${type.instant} not null,
        primary key (subject, factor)
      ) ${type.keyedTable}`,
      `create index attempts_by_age on attempts (last_at)`,
      `create table known_devices (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        secret_hash ${type.bytes} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index known_devices_by_user on known_devices (user_id, created_at)`,
      `create index known_devices_by_expiry on known_devices (expires_at)`,
    ],
  },
  {
    name: 'audit',
    statements: (type) => [
      `create table audit_events (
        id ${type.text} not null primary key,
        at ${type.instant} not null,
        event ${type.text} not null,
        outcome ${type.text} not null,
        reason ${type.text},
        actor ${type.text} not null,
        user_id ${type.integer},
        address ${type.text},
        device ${type.text},
        request_id ${type.text},
        mac ${type.text} not null,
        seal_number ${type.integer},
        seal ${type.text}
      ) ${type.keyedTable}`,
      `create index audit_events_by_user on audit_events (user_id, at)`,
      `create index audit_events_unsealed on audit_events (id) where seal_number is null`,
      `create unique index audit_events_by_seal on audit_events (seal_number)`,
      `create table audit_chain (
        id ${type.integer} not null primary key,
        first_number ${type.integer} not null,
        first_seal ${type.text} not null,
        last_number ${type.integer} not null,
        last_seal ${type.text} not null
      ) ${type.table}`,
      `insert into audit_chain values (1, 0, '', 0, '')`,
    ],
  },
  {
    name: 'outbox of mails',
    statements: (type) => [
      `create table mails (
        id ${type.text} not null primary key,
        user_id ${type.integer} references users (id) on delete cascade,
        kind ${type.text} not null,
        recipient ${type.text} not null,
        content ${type.text},
        created_at ${type.instant} not null,
        next_at ${type.instant} not null,
        expires_at ${type.instant} not null,
        tries ${type.integer} not null,
        sent_at ${type.instant},
        given_up_at ${type.instant},
        last_error ${type.text}
      ) ${type.keyedTable}`,
      `create index mails_pending on mails (next_at) where sent_at is null and given_up_at is null`,
      `create index mails_by_user on mails (user_id, kind, created_at)`,
      `create index mails_by_age on mails (created_at)`,
    ],
  },
  {
    name: 'keys that the database was used with',
    statements: (type) => [
      `create table key_checks (
        id ${type.text} not null primary key,
        check_value ${type.text} not null,
        created_at ${type.instant} not null
      ) ${type.keyedTable}`,
    ],
  },
  {
    name: 'codes of one-time tokens, and the language of a person',
    statements: (type) => [
      `alter table one_time_tokens add column target ${type.text}`,
      `alter table one_time_tokens add column code_mac ${type.text}`,
      `alter table one_time_tokens add column code_expires_at ${type.instant}`,
      `alter table one_time_tokens add column code_tries ${type.integer} not null default 0`,
      `alter table users add column language ${type.text}`,
    ],
  },
  {
    name: 'factors of a session, and logins that await the second',
    statements: (type) => [
      `alter table sessions add column factors ${type.text} not null default '[]'`,
      `alter table sessions add column device ${type.text}`,
      `create table pending_logins (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        secret_hash ${type.bytes} not null,
        demand ${type.text} not null,
        factors ${type.text} not null,
        password_changed_at ${type.instant} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index pending_logins_by_user on pending_logins (user_id)`,
      `create index pending_logins_by_expiry on pending_logins (expires_at)`,
    ],
  },
  {
    name: 'authenticator apps',
    statements: (type) => [
      `create table totp_authenticators (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        name ${type.text} not null,
        seed ${type.text} not null,
        created_at ${type.instant} not null,
        confirmed_at ${type.instant},
        last_step ${type.integer},
        last_used_at ${type.instant}
      ) ${type.keyedTable}`,
      `create index totp_authenticators_by_user on totp_authenticators (user_id)`,
    ],
  },
  {
    name: 'recovery codes',
    statements: (type) => [
      `create table recovery_codes (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        code_mac ${type.text} not null,
        created_at ${type.instant} not null,
        spent_at ${type.instant}
      ) ${type.keyedTable}`,
      `create index recovery_codes_by_user on recovery_codes (user_id)`,
    ],
  },
  {
    name: 'the browser that asked for a one-time token',
    statements: (type) => [`alter table one_time_tokens add column request_mac ${type.text}`],
  },
  {
    name: 'devices on which no second factor is asked for',
    statements: (type) => [
      `alter table known_devices add column remembered_until ${type.instant}`,
      `alter table known_devices add column user_agent ${type.text}`,
    ],
  },
  {
    name: 'passkeys',
    statements: (type) => [
      `create table passkeys (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        user_handle ${type.text} not null,
        credential_id ${type.text} not null,
        public_key ${type.bytes} not null,
        counter ${type.integer} not null,
        kind ${type.text} not null,
        storage ${type.text} not null,
        transports ${type.text} not null,
        aaguid ${type.text} not null,
        name ${type.text} not null,
        created_at ${type.instant} not null,
        last_used_at ${type.instant}
      ) ${type.keyedTable}`,
      `create unique index passkeys_by_credential on passkeys (credential_id)`,
      `create index passkeys_by_user on passkeys (user_id)`,
      `create table spent_challenges (
        id ${type.text} not null primary key,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index spent_challenges_by_expiry on spent_challenges (expires_at)`,
    ],
  },
  {
    name: 'accounts that their owners have closed',
    statements: (type) => [
      `alter table users add column delete_at ${type.instant}`,
      `create index users_by_deletion on users (delete_at) where delete_at is not null`,
    ],
  },
];

// The tables that the tests query without a store. Tables of a feature are named where they are queried, so that the
// feature's folder can be removed: `database.query((sql: Sql<TotpTables>) => …)`.
import type { AuditTables } from '../../src/audit/schema.ts';
import type { VersionTables } from '../../src/db/schema.ts';
import type { AttemptTables } from '../../src/identity/attempt/schema.ts';
import type { RegistrationTables } from '../../src/identity/registration/schema.ts';
import type { SessionTables } from '../../src/identity/session/schema.ts';
import type { SignInTables } from '../../src/identity/sign-in/schema.ts';
import type { TokenTables } from '../../src/identity/token/schema.ts';
import type { KeyTables } from '../../src/keys/schema.ts';
import type { MailTables } from '../../src/mail/schema.ts';
import type { UserTables } from '../../src/user/schema.ts';

/** Every table that belongs to no feature. */
export interface CoreTables
  extends
    UserTables,
    AuditTables,
    MailTables,
    KeyTables,
    AttemptTables,
    RegistrationTables,
    SessionTables,
    TokenTables,
    SignInTables,
    VersionTables {}

declare module '../../src/db/database.ts' {
  interface DefaultTables extends CoreTables {}
}

// The library: the contract's verbs without HTTP, and the service as a Fastify plugin. Types that a public signature
// names are exported too.
import './library/require-node.ts'; // first: says which Node.js is needed before anything fails on another one

export { openDb, openService } from './library/open.ts';
export type { ServiceOptions } from './library/service-options.generated.ts';
export type { Service } from './app/service.ts';
export { bienvenue } from './library/plugin.ts';
export type { BienvenueOptions } from './app/server.ts';
export { findSession, requireSession } from './library/guard.ts';
export { sessionOf } from './identity/session/guard.ts';
export type { ListedSession, Session } from './identity/session/session-entry.ts';
export type { SessionSummary } from './identity/session/store.ts';
export type { FactorUse } from './identity/factor/factor-use.ts';
export { Auth, type AuthOptions } from './library/auth.ts';
export type { ClientSource, PasswordHasher } from './identity/context.ts';
export type { ActorKind, AuditSource } from './audit/event.ts';
export type { Login } from './identity/sign-in/sign-in.ts';
export type { Reopening } from './identity/sign-in/closed-accounts.ts';
export type { Requirement } from './identity/factor/factor.ts';
export type { PasswordRule, PasswordContext } from './user/password-rule.ts';
export type { NewDetails, UserDetails } from './identity/details/details.ts';
export type { JsonObject, Metadata } from './user/details.ts';
export {
  DB,
  type AddUserOptions,
  type HashOptions,
  type UserFields,
  type UserFilters,
} from './library/db.ts';
export type { AddressRule, EmailAddress } from './user/email-address.ts';
export { InvalidRequest, NoResultFound, ValueError, type User } from './user/user.ts';
export { isKnownHash } from './hash/format.ts';
export {
  hashPassword,
  Hasher,
  type HashCost,
  type HasherOptions,
  type PasswordMatch,
} from './hash/hasher.ts';
export type { Clock } from './kit/clock.ts';
export { generateUuid } from './kit/id.ts';
export type { Log } from './kit/log.ts';
export {
  Problem,
  type FactorRequirement,
  type FaultReason,
  type FieldFault,
  type ProblemCode,
  type ProblemCodes,
  type ProblemDetails,
  type ProblemRow,
} from './kit/problem.ts';
export { ConfigurationFault } from './config/read-options.ts';
export { DatabaseRefused } from './db/database.ts';
export { NewerSchema, type SchemaDifference } from './db/migrate.ts';
export { KeysRefused } from './kit/keyring.ts';

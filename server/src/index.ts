// The library: the contract's verbs without HTTP, and the service as a Fastify plugin.
export { openDb, openService } from './library/open.ts';
export { Auth, type AuthOptions } from './library/auth.ts';
export { type ClientSource } from './identity/context.ts';
export { type Login } from './identity/sign-in/sign-in.ts';
export type { Session } from './identity/session/session-entry.ts';
export { type PasswordRule, type PasswordContext } from './user/password-rule.ts';
export {
  DB,
  type AddUserOptions,
  type HashOptions,
  type UserFields,
  type UserFilters,
} from './library/db.ts';
export { type AddressRule, type EmailAddress } from './user/email-address.ts';
export { InvalidRequest, NoResultFound, ValueError, type User } from './user/user.ts';
export { isKnownHash } from './hash/format.ts';
export { hashPassword, Hasher, type HasherOptions } from './hash/hasher.ts';
export { generateUuid } from './kit/id.ts';
export { Problem, type ProblemCode } from './kit/problem.ts';
export { bienvenue, type BienvenueOptions } from './app/server.ts';
export { type Service } from './app/service.ts';
export { ConfigurationFault } from './config/read-options.ts';
export { DatabaseRefused } from './db/sqlite-file.ts';
export { NewerSchema } from './db/migrate.ts';
export { KeysRefused } from './kit/keyring.ts';

// The schema of the service: the steps of every module, each after the modules whose tables it refers to.
import { auditMigrations } from '../audit/migrations.ts';
import type { MigratedModule } from '../db/migration.ts';
import { passkeyMigrations } from '../features/passkey/migrations.ts';
import { recoveryCodeMigrations } from '../features/recovery-code/migrations.ts';
import { totpMigrations } from '../features/totp/migrations.ts';
import { attemptMigrations } from '../identity/attempt/migrations.ts';
import { sessionMigrations } from '../identity/session/migrations.ts';
import { signInMigrations } from '../identity/sign-in/migrations.ts';
import { tokenMigrations } from '../identity/token/migrations.ts';
import { keyMigrations } from '../keys/migrations.ts';
import { mailMigrations } from '../mail/migrations.ts';
import { userMigrations } from '../user/migrations.ts';

export const migratedModules: readonly MigratedModule[] = [
  { name: 'user', migrations: userMigrations },
  { name: 'keys', migrations: keyMigrations },
  { name: 'audit', migrations: auditMigrations },
  { name: 'mail', migrations: mailMigrations },
  { name: 'attempt', migrations: attemptMigrations },
  { name: 'session', migrations: sessionMigrations },
  { name: 'token', migrations: tokenMigrations },
  { name: 'sign-in', migrations: signInMigrations },
  { name: 'totp', migrations: totpMigrations },
  { name: 'recovery-code', migrations: recoveryCodeMigrations },
  { name: 'passkey', migrations: passkeyMigrations },
];

// Lists the migrations of all modules, each after the modules whose tables it references.
import { auditMigrations } from '../audit/migrations.ts';
import type { MigratedModule } from '../db/migration.ts';
import { attemptMigrations } from '../identity/attempt/migrations.ts';
import { keyMigrations } from '../keys/migrations.ts';
import { mailMigrations } from '../mail/migrations.ts';
import { userMigrations } from '../user/migrations.ts';
import { modules } from './modules.ts';

export const migratedModules: readonly MigratedModule[] = [
  { name: 'user', migrations: userMigrations },
  { name: 'keys', migrations: keyMigrations },
  { name: 'audit', migrations: auditMigrations },
  { name: 'mail', migrations: mailMigrations },
  { name: 'attempt', migrations: attemptMigrations },
  ...modules.filter(({ migrations }) => migrations.length > 0),
];

// Conditions that a database of ours satisfies while no process writes to it, whatever happened to the previous writer.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import type { Environment } from '../../src/config/read-options.ts';
import { sqlitePath } from '../../src/db/open-database.ts';
import { patienceMs } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';

/** Rows that refer to a missing user, and users without a record of their creation. */
const strays: Readonly<Record<string, string>> = {
  sessions: 'select count(*) as n from sessions where user_id not in (select id from users)',
  'one-time tokens': 'select count(*) as n from one_time_tokens where user_id not in (select id from users)',
  'known devices': 'select count(*) as n from known_devices where user_id not in (select id from users)',
  mails:
    'select count(*) as n from mails where user_id is not null and user_id not in (select id from users)',
  'audit events':
    'select count(*) as n from audit_events where user_id is not null and user_id not in (select id from users)',
  'users without an event': `select count(*) as n from users where id not in
    (select user_id from audit_events where event = 'user_created' and outcome = 'success')`,
  'users with two events of their creation': `select count(*) as n from (select user_id from audit_events
    where event = 'user_created' and outcome = 'success' group by user_id having count(*) > 1)`,
  'new passwords without an event': `select count(*) as n from one_time_tokens where spent_at is not null and user_id not in
    (select user_id from audit_events where event = 'authn_password_change')`,
};

/** Asserts that the SQLite file is intact. */
export function assertWhole(url: string): void {
  using database = new DatabaseSync(sqlitePath(url) ?? '', { readOnly: true, timeout: patienceMs });
  const findings = database.prepare('pragma integrity_check').all();
  assert.deepEqual(
    findings.map((row) => row['integrity_check']),
    ['ok'],
  );
  assert.deepEqual(database.prepare('pragma foreign_key_check').all(), []);
}

/** Asserts that the SQLite file is intact and contains no half-finished action. */
export function assertSound(url: string): void {
  assertWhole(url);
  using database = new DatabaseSync(sqlitePath(url) ?? '', { readOnly: true, timeout: patienceMs });
  for (const [what, text] of Object.entries(strays))
    assert.equal(database.prepare(text).get()?.['n'], 0, what);
}

/** Asserts with the operator's command that the audit record is intact. */
export async function assertAudited(environment: Environment): Promise<void> {
  const { code, stdout, stderr } = await runProgram(['audit', 'verify', '--json'], { environment });
  assert.equal(code, 0, stdout + stderr);
  assert.deepEqual((JSON.parse(stdout) as { faults: string[] }).faults, []);
}

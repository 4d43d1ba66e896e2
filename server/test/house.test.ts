// Holds the plan of the house: an import goes downstairs or stays in its room, some words are spoken in few places, and
// files are called what they are.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';

const source = join(import.meta.dirname, '../src');

/** The floors, from the ground up; each feature is a room of its own on `features`. */
const floors: readonly (readonly string[])[] = [
  ['kit'],
  ['config', 'db', 'hash'],
  ['user', 'audit', 'mail', 'jobs', 'keys', 'http'],
  ['auth', 'org'],
  ['features'],
  ['app'],
  ['cli', 'index.ts'],
];

/** Words, and the files that may speak them. */
const words: readonly (readonly [name: string, spoken: RegExp, allowed: RegExp])[] = [
  ['kysely', /from 'kysely|import\('kysely/, /store\.ts$|^db\//],
  ['fastify', /from '@?fastify|import\('@?fastify/, /(^|\/|-)(routes|pages|guard)\.ts$|^app\/|^http\//],
  ['process.env', /\bprocess\.env\b|\bprocess\[|\benv\b.* from 'node:process'/, /^main\.ts$|^cli\//],
];

const importPattern = /\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g;
const mayBeDefault = /^export default\b|\bas default\b/m;
const commentLine = /^\s*(?:\/\/|\/?\*).*$/gm;
const namelessFile = /(^|\/)(utils?|helpers?|common|types)(\/|\.ts$)/;

function roomOf(file: string): string {
  const [first = '', second = ''] = file.split('/');
  if (first === 'main.ts') return 'cli'; // the program is the commands' front
  return first === 'features' ? `features/${second}` : first;
}

function floorOf(room: string): number {
  return floors.findIndex((core) => core.includes(room.split('/')[0] ?? ''));
}

/** What is wrong with a file, in sentences. */
function faultsOf(file: string, written: string): string[] {
  const text = written.replaceAll(commentLine, '');
  const room = roomOf(file);
  const faults: string[] = floorOf(room) < 0 ? [`${file} is on no floor`] : [];
  for (const [, target = ''] of text.matchAll(importPattern)) {
    const other = roomOf(posix.join(posix.dirname(file), target));
    if (other !== room && floorOf(other) >= floorOf(room))
      faults.push(`${file} imports ${target}, which is not downstairs`);
  }
  for (const [name, spoken, allowed] of words) {
    if (spoken.test(text) && !allowed.test(file)) faults.push(`${file} speaks of ${name}`);
  }
  if (mayBeDefault.test(text)) faults.push(`${file} has a default export`);
  if (namelessFile.test(file)) faults.push(`${file} does not say what it is`);
  return faults;
}

test('the house is as planned', () => {
  const files = globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts', '**/test/**'] });
  const texts = files.map(
    (file) => [file.replaceAll('\\', '/'), readFileSync(join(source, file), 'utf8')] as const,
  );
  assert.deepEqual(
    texts.flatMap(([file, text]) => faultsOf(file, text)),
    [],
  );
  // It was read at all: each floor that is built, and imports on them.
  assert.ok(new Set(texts.map(([file]) => roomOf(file))).size >= 10);
  assert.ok(
    texts.reduce((sum, [, text]) => sum + [...text.matchAll(importPattern)].length, 0) > texts.length,
  );
});

const planted: readonly (readonly [fault: string, file: string, text: string])[] = [
  ['an import up', 'kit/clock.ts', `import { addUser } from '../user/store.ts';`],
  ['an import next door', 'user/store.ts', `import { Jobs } from '../jobs/jobs.ts';`],
  ['an import of a type', 'db/engine.ts', `import type { HashJob } from '../hash/hash-worker.ts';`],
  ['an import on several lines', 'auth/auth.ts', `import {\n  a,\n  b,\n} from '../app/rooms.ts';`],
  ['an import when it is needed', 'http/log.ts', `const x = await import('../app/app.ts');`],
  ['an import for its effect', 'config/parse.ts', `import '../db/database.ts';`],
  ['an export of something upstairs', 'hash/hasher.ts', `export { Auth } from '../auth/auth.ts';`],
  ['a feature that knows another', 'features/totp/totp.ts', `import { x } from '../passkey/passkey.ts';`],
  ['an import of the library', 'app/app.ts', `import { openDb } from '../index.ts';`],
  ['kysely outside of a store', 'auth/auth.ts', `import { sql } from 'kysely';`],
  ['fastify in the rules', 'auth/auth.ts', `import type { FastifyRequest } from 'fastify';`],
  ['a plugin of fastify in the rules', 'auth/auth.ts', `import { x } from '@fastify/cookie';`],
  ['the environment below the roof', 'app/rooms.ts', `const port = process.env['PORT'];`],
  ['a default export', 'kit/clock.ts', `export default () => 1;`],
  ['a file without a noun', 'kit/utils.ts', ''],
  ['a room on no floor', 'misc/clock.ts', ''],
];
for (const [fault, file, text] of planted) {
  test(`it sees ${fault}`, () => assert.equal(faultsOf(file, text).length, 1));
}

test('it lets pass what is right', () => {
  const text = `// not process.env\nimport { x } from './y.ts';\nimport { Problem } from '../kit/problem.ts';\nimport type { Database } from '../db/database.ts';`;
  assert.deepEqual(faultsOf('auth/auth.ts', text), []);
  assert.deepEqual(
    faultsOf('features/totp/store.ts', `import { sql } from 'kysely';\nimport { x } from './totp.ts';`),
    [],
  );
});

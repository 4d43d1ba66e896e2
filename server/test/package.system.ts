// The package as users install it: the output of tsc, below node_modules, where Node strips no types.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, after, test } from 'node:test';
import { createPackage, readManifest } from '../../tools/package.ts';
import { runProgram, withoutPlace } from './support/program.ts';
import { temporaryFolder } from './support/running-service.ts';

const root = join(import.meta.dirname, '../..');
const cleaning: (() => Promise<void>)[] = [];
let project: string;
let installed: string;

before(async () => {
  project = await temporaryFolder({ after: (work) => void cleaning.push(work) });
  installed = join(project, 'node_modules/@bienvenue/server');
  createPackage(installed);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  // Dependencies that an installation would add; the service may have a version of its own.
  const { dependencies, optionalDependencies } = readManifest();
  for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), '@types/node']) {
    const place = ['server/node_modules', 'node_modules']
      .map((folder) => join(root, folder, name))
      .find((each) => existsSync(each));
    if (place === undefined) continue; // the runtime of another platform
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(place, link, 'junction');
  }
});
after(async () => {
  for (const work of cleaning) await work();
});

const program = `
import { openDb, Auth, hashPassword, NoResultFound } from '@bienvenue/server';

const db = await openDb('sqlite:./data/bienvenue.db');
const auth = new Auth({ db });
const user = await auth.registerUser('guillaume@holberton.io', 'b4l0u');
const imported = await db.addUser('ada@example.org', await hashPassword('b4l0u'));
const session = await auth.createSession(user.email);
const whose = await auth.getUserFromSessionId(session);
const token = await auth.getResetPasswordToken(user.email);
await auth.updatePassword(token, 't4rt1fl3tt3');
const noUser = await db.findUserBy({ sessionId: session }).catch((error) => error instanceof NoResultFound);
console.log(JSON.stringify([user.id, imported.id, whose?.email, noUser, await auth.validLogin(user.email, 't4rt1fl3tt3')]));
await auth.close();
await db.close();
`;

test('it contains no sources and no tests', () => {
  const files = globSync('**/*', { cwd: installed, exclude: ['node_modules'] });
  assert.ok(
    files.includes(join('dist', 'index.js')) && files.includes(join('dist', 'index.d.ts')),
    files.join(' '),
  );
  assert.deepEqual(
    files.filter((file) => /(?<!\.d)\.ts$|test/.test(file)),
    [],
  );
});

test("a user's program uses the library, its threads included", async () => {
  const script = join(project, 'program.js');
  writeFileSync(script, program);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    cwd: project,
    encoding: 'utf8',
  });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.deepEqual(JSON.parse(stdout), [1, 2, 'guillaume@holberton.io', true, true]);
});

test("a user's TypeScript program finds its types", () => {
  writeFileSync(join(project, 'program.ts'), `${program}\nconst wrong: string = user.id;\n`);
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const settings = [
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--types',
    'node',
    '--ignoreConfig',
  ];
  const { stdout } = spawnSync(process.execPath, [compiler, ...settings, 'program.ts'], {
    cwd: project,
    encoding: 'utf8',
  });
  const faults = stdout.trim().split('\n');
  assert.equal(faults.length, 1, stdout);
  assert.match(faults[0] ?? '', /Type 'number' is not assignable to type 'string'/);
});

test('the launcher runs the commands', async () => {
  const script = join(installed, 'bin/bienvenue.js');
  const environment = { DATA_DIR: join(project, 'data') };
  const help = await runProgram(['--help'], { script });
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /^Usage: bienvenue /);
  const listed = await runProgram(['user', 'list', '--json'], { script, environment });
  assert.deepEqual([listed.code, withoutPlace(listed.stderr)], [0, '']);
  assert.match(listed.stdout, /ada@example\.org/);
});

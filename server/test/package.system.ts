// The package as users install it: packed by npm, below node_modules, where Node strips no types.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, after, describe, test } from 'node:test';
import { readManifest } from '../../tools/package.ts';
import { missingExports } from './support/declarations.ts';
import { blockOf, relativeLinks } from './support/document.ts';
import { eventually } from './support/eventually.ts';
import { freePort } from './support/free-port.ts';
import { sendPlain } from './support/integration.ts';
import { lockedClosure } from './support/locked-packages.ts';
import { runProgram, withoutPlace } from './support/program.ts';
import { sessionIdOf } from './support/request.ts';
import { temporaryFolder } from './support/running-service.ts';
import { runtimeEnvironment } from './support/runtime.ts';

const root = join(import.meta.dirname, '../..');
const packageScript = join(root, 'tools/package.ts');
const cleaning: (() => Promise<void>)[] = [];
let project: string;
let installed: string;
let archive: string;
/** What `npm run package` printed. */
let created: string;

/** Runs a program in the project to its end. */
function runIn(folder: string, command: string, ...args: readonly string[]) {
  return spawnSync(command, args, { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' });
}

before(async () => {
  project = await temporaryFolder({ after: (work) => void cleaning.push(work) });
  installed = join(project, 'node_modules/@bienvenue/server');
  const folder = join(project, 'package');
  const made = runIn(project, process.execPath, packageScript, folder);
  assert.equal(made.status, 0, made.stderr);
  created = made.stdout;
  const packed = runIn(project, 'npm', 'pack', folder, '--silent');
  assert.equal(packed.status, 0, packed.stderr);
  archive = join(project, packed.stdout.trim());
  mkdirSync(installed, { recursive: true });
  const unpacked = runIn(installed, 'tar', '-xzf', archive, '--strip-components=1');
  assert.equal(unpacked.status, 0, unpacked.stderr);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  // Dependencies that an installation would add, and those of the user's own; the service may have a version of its own.
  const names = [...Object.keys(readManifest().dependencies), 'express', '@types/node', '@types/express'];
  for (const name of names) {
    const place = ['server/node_modules', 'node_modules']
      .map((each) => join(root, each, name))
      .find((each) => existsSync(each));
    assert.ok(place !== undefined, `${name} is installed`);
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
const hashing = (work) => work().catch((error) => (error.code === 'too_busy' ? hashing(work) : Promise.reject(error)));
const user = await hashing(() => auth.registerUser('guillaume@holberton.io', 'b4l0u'));
const imported = await db.addUser('ada@example.org', await hashing(() => hashPassword('b4l0u')));
const session = await auth.createSession(user.email);
const whose = await auth.getUserFromSessionId(session);
const token = await auth.getResetPasswordToken(user.email);
await hashing(() => auth.updatePassword(token, 't4rt1fl3tt3'));
const noUser = await db.findUserBy({ sessionId: session }).catch((error) => error instanceof NoResultFound);
const isValid = await hashing(() => auth.validLogin(user.email, 't4rt1fl3tt3'));
console.log(JSON.stringify([user.id, imported.id, whose?.email, noUser, isValid]));
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
    files.filter((file) => /(?<!\.d)\.ts$|(?<!docs.*)test/.test(file)),
    [],
  );
  const maps = globSync('dist/**/*.map', { cwd: installed });
  assert.deepEqual(maps, [], 'a source map names the folder of the build, and sources that are not packed');
});

test("an installation brings no Node.js, which would replace the user's own in npm scripts", () => {
  const packages = lockedClosure(root, Object.keys(readManifest().dependencies));
  assert.ok(packages.length > 50, 'the lock is read');
  const programs = packages.flatMap(({ commands }) => commands);
  assert.deepEqual(
    programs.filter((name) => ['node', 'npm', 'npx', 'corepack', 'tsc'].includes(name)),
    [],
  );
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as object;
  assert.ok(!('optionalDependencies' in manifest) && !('devDependencies' in manifest));
});

test('its README begins with the library, and each link of its pages leads to a packed file', () => {
  const readme = readFileSync(join(installed, 'README.md'), 'utf8');
  assert.match(readme, /^# Bienvenue\n.*?^import .* from '@bienvenue\/server';$/ms);
  assert.ok(
    readme.indexOf('@bienvenue/server') < readme.indexOf('bienvenue serve'),
    'the library comes first',
  );
  assert.ok(relativeLinks(readme).length > 5);
  const faults = globSync('**/*.md', { cwd: installed }).flatMap((page) =>
    relativeLinks(readFileSync(join(installed, page), 'utf8'))
      .filter(
        ({ target }) => !existsSync(join(installed, target === '' ? page : join(dirname(page), target))),
      )
      .map(({ target }) => `${page} links to ${target}`),
  );
  assert.deepEqual(faults, []);
});

test('publint and attw find no fault', () => {
  const publint = join(root, 'node_modules/publint/src/cli.js');
  const linted = runIn(project, process.execPath, publint, archive, '--strict');
  assert.match(linted.stdout, /All good!/, `${linted.stdout}${linted.stderr}`);
  const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  // For ES modules: a program with `require` loads them on Node.js 24, which the tool does not know.
  const resolved = runIn(project, process.execPath, attw, '--profile', 'esm-only', '--no-color', archive);
  assert.equal(resolved.status, 0, `${resolved.stdout}${resolved.stderr}`);
});

test('every type that a public signature names is exported', () => {
  assert.deepEqual(missingExports(join(installed, 'dist/index.d.ts')), []);
});

test("a user's program uses the library, its threads included", () => {
  writeFileSync(join(project, 'program.js'), program);
  const { status, stdout, stderr } = runIn(project, process.execPath, 'program.js');
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.deepEqual(JSON.parse(stdout), [1, 2, 'guillaume@holberton.io', true, true]);
});

test('a CommonJS program loads it with require', () => {
  const text = "console.log(typeof require('@bienvenue/server').openDb)";
  const { stdout, stderr } = runIn(project, process.execPath, '--input-type=commonjs', '--eval', text);
  assert.deepEqual([stdout.trim(), stderr], ['function', '']);
});

/** The Node.js of the machine, if it is older than the library needs. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((place) => {
  const { stdout } = spawnSync(place, ['--version'], { encoding: 'utf8' });
  const [major = 99, minor = 0] = (stdout ?? '').match(/\d+/g)?.map(Number) ?? [];
  return major >= 20 && (major < 24 || (major === 24 && minor < 16));
});
const skip = oldNode === undefined && 'There is no older Node.js, from 20 on, on this machine';
test('the import fails on an older Node.js and says which one is needed', { skip }, () => {
  writeFileSync(join(project, 'old.js'), program);
  const { status, stderr } = runIn(project, String(oldNode), 'old.js');
  assert.equal(status, 1);
  assert.match(
    stderr,
    /Error: Bienvenue needs Node\.js 24\.16 or later\. This program runs on \d+\.\d+\.\d+\./,
  );
});

/** The applications of docs/reference/library.md, by the names of their files. */
const applications = {
  fastify: 'Fastify',
  express: 'Express',
  http: 'Node.js without a framework',
};

/** What a strict compiler accepts and rejects in addition to the applications. */
const strict = `
import Fastify from 'fastify';
import { Auth, bienvenue, findSession, openDb, openService, requireSession, sessionOf } from '@bienvenue/server';
import type { ListedSession, Problem, Service, ServiceOptions, Session } from '@bienvenue/server';

const options: ServiceOptions = { DATA_DIR: './data', PORT: '3000', SMTP_URL_FILE: undefined };
const service: Service = await openService({ ...process.env, ...options });
const app = Fastify();
await app.register(bienvenue, { service, home: false });
app.get<{ Querystring: { page: string } }>('/orders', { onRequest: requireSession(service) }, async (request) => {
  const session: Session = sessionOf(request);
  return { id: session.userId, same: request.session?.userId, page: request.query.page };
});
const found: Session | undefined = await findSession(service, new Headers().get('cookie'));
const listed: ListedSession[] = await new Auth({ service }).listSessions(found?.userId, 10);
export const isKnown = ({ code }: Problem): boolean => code === 'token_invalid' || code === 'unknown_email';
console.log(listed.length, openDb);
// A member of the application that the routes of the service have too.
declare module 'fastify' {
  interface FastifyRequest {
    source: string;
    pendingAuthentication: number;
  }
}
// @ts-expect-error a misspelled name
await openService({ PROT: '3000' });
// @ts-expect-error no text
await openService({ PORT: 3000 });
// @ts-expect-error another person
app.get('/wrong', async (request) => request.session?.nothing);
`;

describe("a user's TypeScript project", () => {
  before(() => {
    for (const [name, heading] of Object.entries(applications))
      writeFileSync(join(project, `${name}.ts`), blockOf('docs/reference/library.md', heading, 'js'));
    writeFileSync(join(project, 'strict.ts'), strict);
    const compilerOptions = {
      noEmit: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      module: 'nodenext',
      target: 'es2024',
      types: ['node'],
    };
    const files = ['strict.ts', ...Object.keys(applications).map((name) => `${name}.ts`)];
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  });

  // strict.ts adds members to requests, which the declarations of the package must not need.
  for (const left of ['', 'strict.ts'])
    test(`passes the strictest compiler, with the declarations of all packages${left && `, without ${left}`}`, () => {
      const config = join(project, 'tsconfig.json');
      const whole = readFileSync(config, 'utf8');
      const { files, ...more } = JSON.parse(whole) as { readonly files: readonly string[] };
      writeFileSync(config, JSON.stringify({ ...more, files: files.filter((file) => file !== left) }));
      const compiler = join(root, 'node_modules/typescript/bin/tsc');
      const { stdout, status } = runIn(project, process.execPath, compiler, '-p', '.');
      writeFileSync(config, whole);
      assert.deepEqual([stdout, status], ['', 0]);
    });

  for (const [name, heading] of Object.entries(applications))
    test(`guards a route: ${heading}, started twice`, async () => {
      const port = await freePort();
      const text = readFileSync(join(project, `${name}.ts`), 'utf8');
      writeFileSync(
        join(project, `own-${name}.ts`),
        text.replaceAll('3000', String(port)).replace('./data', `./data-${name}`),
      );
      const origin = `http://localhost:${port}`;
      for (const expected of [200, 400]) {
        const child = spawn(process.execPath, [`own-${name}.ts`], {
          cwd: project,
          env: { ...runtimeEnvironment() },
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let faults = '';
        child.stderr.on('data', (chunk: Buffer) => (faults += chunk.toString()));
        const ended = once(child, 'close');
        try {
          await useApplication(origin, expected, () => child.exitCode === null);
          assert.equal(faults, '');
        } catch (error) {
          throw new Error(`${name}: ${faults}`, { cause: error });
        } finally {
          child.kill('SIGKILL');
          await ended;
        }
      }
    });
});

/** Signs in at an application that is starting, and opens its guarded page. `registered`: status of the registration. */
async function useApplication(origin: string, registered: number, isAlive: () => boolean): Promise<void> {
  const open = (path: string, headers = {}) =>
    sendPlain({ method: 'GET', path: `${origin}${path}`, headers });
  await eventually(
    'an answer of the application',
    async () => !isAlive() || (await open('/').catch(() => undefined)),
  );
  assert.equal((await open('/')).text, 'The start page of your application');
  const refused = await open('/orders', { accept: 'text/html' });
  assert.equal(refused.status, 303, refused.text);
  const signIn = new URL(String(refused.headers['location']), origin);
  assert.equal(signIn.searchParams.get('return_to'), '/orders');
  assert.equal((await open(`${signIn.pathname}${signIn.search}`)).status, 200);
  const fields = { email: 'ada@example.org', password: 'b4l0u' };
  /** Repeats a request that is answered 503, as a user would: next to busy programs the real hashes can take too long. */
  const send = async (path: string): ReturnType<typeof sendPlain> => {
    const reply = await sendPlain({ method: 'POST', path: `${origin}${path}`, fields });
    return reply.status === 503 && isAlive() ? send(path) : reply;
  };
  assert.equal((await send('/users')).status, registered);
  const signedIn = await send('/sessions');
  const cookie = `session_id=${sessionIdOf(signedIn)}`;
  const orders = await open('/orders', { cookie });
  assert.deepEqual(JSON.parse(orders.text), { userId: 1, email: fields.email });
}

test('the launcher runs the commands', async () => {
  const script = join(installed, 'bin/bienvenue.js');
  const environment = { DATA_DIR: join(project, 'data-fastify') }; // of the application above
  const help = await runProgram(['--help'], { script });
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /^Usage: bienvenue /);
  const listed = await runProgram(['user', 'list', '--json'], { script, environment });
  assert.deepEqual([listed.code, withoutPlace(listed.stderr)], [0, '']);
  assert.match(listed.stdout, /ada@example\.org/);
});

test('npm run package says what it did and what comes next, and replaces no other folder', () => {
  assert.match(
    created,
    /^Created @bienvenue\/server \d+\.\d+\.\d+ in \S+ \(\d+\.\d MB\)\..*npm pack .*npm install .*bienvenue-server-\d+\.\d+\.\d+\.tgz.*npm publish /s,
  );
  const refused = runIn(project, process.execPath, packageScript, project);
  assert.deepEqual([refused.status, refused.stdout], [1, '']);
  assert.match(refused.stderr, /has other files than a package, such as .*Name a new folder/);
  assert.ok(existsSync(installed), 'nothing was removed');
});

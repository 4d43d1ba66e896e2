// The order of a lane, its failures, and its end by a signal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../server/test/support/eventually.ts';

const tool = fileURLToPath(new URL('test.mjs', import.meta.url));
const isLinux = process.platform === 'linux';

/** The environment without what the lane that runs this test has set for its own processes. */
function ownEnvironment() {
  const set = [
    'NODE_COMPILE_CACHE',
    'NODE_TEST_CONTEXT',
    'TEST_DATABASE_URL',
    'TEST_SEED',
    'TEST_TEMPLATE',
    'TEST_TEMPLATE_FILE',
  ];
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !set.includes(name)));
}

/** A project of a few test files, which end by themselves. @param {import('node:test').TestContext} t @param {Record<string, string>} files */
async function smallProject(t, files) {
  const project = await mkdtemp(path.join(tmpdir(), 'bienvenue-lane-'));
  t.after(() => rm(project, { recursive: true, force: true }));
  await mkdir(path.join(project, 'server/test/support'), { recursive: true });
  await mkdir(path.join(project, 'tools'));
  for (const name of ['test.mjs', 'light-tests.mjs'])
    await copyFile(path.join(import.meta.dirname, name), path.join(project, 'tools', name));
  await writeFile(path.join(project, 'server/test/support/postgres-server.ts'), 'export {};\n');
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(project, 'server/test', name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, `import test from 'node:test';\n${content}\n`);
  }
  return {
    compiled: path.join(project, '.cache/compiled'),
    /** Runs a lane of it to its end. @param {string[]} args */
    run: async (...args) => {
      const lane = spawn(process.execPath, [path.join(project, 'tools/test.mjs'), ...args], {
        env: ownEnvironment(),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [output, [code]] = await Promise.all([text(lane.stdout), once(lane, 'exit')]);
      return { output, code };
    },
  };
}

/** Command lines of all processes that a process has started, by their ids. @param {number} root @returns {Map<string, string>} */
function startedBy(root) {
  /** @type {Map<string, { parent: string, command: string }>} */
  const all = new Map();
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\) /s, '');
      const command = readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ');
      all.set(id, { parent: stat.split(' ')[1] ?? '', command });
    } catch {
      // It has just ended.
    }
  }
  /** @type {(id: string) => boolean} */
  const isOwn = (id) => {
    const { parent } = all.get(id) ?? {};
    return parent !== undefined && (parent === String(root) || isOwn(parent));
  };
  return new Map([...all].filter(([id]) => isOwn(id)).map(([id, { command }]) => [id, command]));
}

/** @param {string} id @param {string} command */
function isRunning(id, command) {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ') === command;
  } catch {
    return false;
  }
}

/** Waits until the function returns nothing. @param {() => string[]} left @returns {Promise<void>} */
async function waitForNone(left) {
  await eventually(
    () => `nothing of ${left().join(', ')}`,
    () => left().length === 0,
  );
}

test(
  'a lane that is ended by SIGTERM ends its tests, their services and its database server',
  { skip: !isLinux && 'reads /proc', timeout: 600_000 },
  async (t) => {
    const lane = spawn(process.execPath, [tool, 'main', 'server/test/logs.test.ts'], {
      env: ownEnvironment(),
      stdio: 'ignore',
    });
    t.after(() => lane.kill('SIGKILL'));
    const ended = once(lane, 'exit');
    /** @type {Map<string, string>} */
    let started = new Map();
    await waitForNone(() => {
      started = startedBy(lane.pid ?? 0);
      const commands = [...started.values()].join('\n');
      return [/\/lane-\w+\//, /postgres/, / serve\b/].filter((one) => !one.test(commands)).map(String);
    });
    lane.kill('SIGTERM');
    await ended;
    await waitForNone(() => [...started].filter(([id, command]) => isRunning(id, command)).map(String));
  },
);

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

test('a lane starts the largest files first, and the others in the order of the seed', async (t) => {
  const files = names.map((name, i) => [
    `${name}.long.ts`,
    `test('${name}', () => {}); // ${'x'.repeat(100 * i)}`,
  ]);
  const { run, compiled } = await smallProject(t, Object.fromEntries(files));
  /** @param {string[]} args */
  const orderOf = async (...args) => {
    const { output, code } = await run('long', ...args);
    assert.equal(code, 0, output);
    return [...output.matchAll(/^✔ (\w) /gm)].map(([, name]) => name);
  };
  assert.deepEqual(await orderOf(), names.toReversed());

  const orders = [];
  for (const seed of ['1', '2', '1']) orders.push(await orderOf('--seed', seed));
  const [one, other, again] = orders;
  assert.deepEqual(one, again);
  assert.notDeepEqual(one, other);
  for (const order of orders) {
    assert.deepEqual(order.slice(0, 2).toSorted(), ['g', 'h'], 'the largest quarter');
    assert.deepEqual(order.toSorted(), names);
  }
  assert.notEqual((await readdir(compiled)).length, 0, 'its processes share what they have compiled');
});

for (const [lane, suffix] of Object.entries({
  main: 'process.test.ts',
  system: 'system.ts',
  long: 'long.ts',
}))
  test(`the ${lane} lane runs each of its files once, also those of one name in different folders`, async (t) => {
    const folders = ['', 'faults/', 'races/', 'races/faults/'];
    const files = folders.map((folder) => [
      `${folder}start.${suffix}`,
      `test('start in ${folder}.', () => {});`,
    ]);
    const { run } = await smallProject(t, Object.fromEntries(files));
    const { output, code } = await run(lane);
    assert.equal(code, 0, output);
    const titles = [...output.matchAll(/^✔ start in (\S*)\. /gm)].map(([, folder]) => folder);
    assert.deepEqual(titles.toSorted(), folders.toSorted());
  });

test('a lane fails if one of its files runs no test', async (t) => {
  const { run } = await smallProject(t, {
    'empty.system.ts': `if (process.env['NEVER']) test('never', () => {});`,
    'skipped.system.ts': `test('skipped', { skip: 'for a reason' });`,
    'good.system.ts': `test('good', () => {});`,
  });
  const { output, code } = await run('system');
  assert.equal(code, 1);
  assert.deepEqual(output.match(/\S+ ran no test/g), ['server.test.empty.system.ts.mjs ran no test']);
  const some = await run('system', '--pattern', 'good');
  assert.equal(some.code, 0, some.output);
});

test('a lane says at its end which process failed outside of its tests, and why', async (t) => {
  const { run } = await smallProject(t, {
    'late.system.ts': `test('begins', async () => void Promise.reject(new Error('too late')));`,
    'killed.system.ts': `test('begins', () => process.kill(process.pid, 'SIGKILL'));`,
    'ended.system.ts': `test('begins', () => { console.error('Goodbye'); process.exit(3); });`,
    'good.system.ts': `test('begins', () => {});`,
  });
  const { output, code } = await run('system');
  assert.equal(code, 1);
  const end = output.slice(output.lastIndexOf('failing tests'));
  assert.match(end, /late\.system\.ts\.mjs ended with code 1, outside of its tests:\n.*too late/);
  assert.match(end, /killed\.system\.ts\.mjs ended by SIGKILL, outside of its tests:/);
  assert.match(end, /ended\.system\.ts\.mjs ended with code 3, outside of its tests:\n {2}Goodbye/);
  assert.doesNotMatch(end, /good\.system/);
});

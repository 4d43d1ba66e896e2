// Commands that another user than the owner of the data runs: root leaves no file that the service cannot open, and any
// other user is rejected. Needs root, to start programs of several users. A program starts for some commands of root in
// `file-owner.system.ts`, for each in `file-owner.long.ts`; the other commands run in one process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/cli.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { createData, temporaryFolder } from '../support/running-service.ts';
import { CommandHost, runProgram, withoutPlace, type Outcome } from '../support/program.ts';
import { runtimeEnvironment } from '../support/runtime.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Ids that no account has. */
const service = { uid: 61_234, gid: 61_235 };
const other = { uid: 61_240, gid: 61_240 };
const root = { uid: 0, gid: 0 };
type User = typeof service;

function skipReason(): string | false {
  if (process.getuid === undefined) return 'this system has no user ids';
  return process.getuid() === 0 ? false : 'only root can start programs of other users';
}

/** A value for each required argument of a command. */
const argumentsByName: Readonly<Record<string, string>> = {
  email: 'ann@example.org',
  id: '01234567-89ab-7def-8123-456789abcdef',
};
/** Arguments of commands that do nothing with those. */
const argumentsOf: Readonly<Record<string, readonly string[]>> = {
  'user add': ['bob@example.org'],
  'session end': ['--user', 'ann@example.org'],
  'signing-key retire': ['--all', '--now'],
};
/** Commands that do not look at the data. */
const withoutData = new Set(['config']);

/** Every command by its name, with arguments with which it does something. */
async function readCommands(): Promise<ReadonlyMap<string, readonly string[]>> {
  const program = await createProgram({ environment: {} });
  const entryOf = (name: string, { registeredArguments }: Command): [string, readonly string[]] => {
    const required = registeredArguments.filter((each) => each.required).map((each) => each.name());
    return [name, argumentsOf[name] ?? required.map((each) => argumentsByName[each] ?? each)];
  };
  return new Map(
    program.commands.flatMap((command: Command) =>
      command.commands.length === 0
        ? [entryOf(command.name(), command)]
        : command.commands.map((sub) => entryOf(`${command.name()} ${sub.name()}`, sub)),
    ),
  );
}

const known = await readCommands();
const commands = [...known.keys()];

/** The arguments of a command. */
const lineOf = (name: string): string[] => [...name.split(' '), ...(known.get(name) ?? [])];
const input = 'a password of enough words\n';

/** Runs a command as a program of a user. */
function run(name: string, user: User, data: Readonly<Record<string, string>>): Promise<Outcome> {
  return runProgram(lineOf(name), { user, environment: { PORT: '0', ...data }, input });
}

/** Starts and stops a service as a program of a user. */
async function serve(user: User, data: Readonly<Record<string, string>>): Promise<Outcome> {
  const child = spawn(process.execPath, [main, 'serve'], {
    ...user,
    env: { ...runtimeEnvironment(), PORT: '0', LOG_FORMAT: 'json', ...data },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    stdout += part;
    if (part.includes('is listening')) child.kill('SIGTERM');
  });
  const ended = new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  const [code, stderr] = await Promise.all([ended, text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Owner and mode of every file of a folder. */
function ownersIn(folder: string): Record<string, string> {
  return Object.fromEntries(
    ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })].toSorted().map((name) => {
      const { uid, gid, mode } = statSync(join(folder, name));
      return [name, `${uid}:${gid} ${(mode & 0o777).toString(8)}`];
    }),
  );
}

/** The data folder of a service that runs as a user of its own. */
async function dataOf(t: TestContext, user: User): Promise<string> {
  const outer = await temporaryFolder(t);
  chmodSync(outer, 0o755);
  const folder = join(outer, 'data');
  mkdirSync(folder, { mode: 0o700 });
  await createData({ DATA_DIR: folder }, async ({ accounts }) => {
    await accounts.register(requireEmailAddress('ann@example.org'), 'b4l0u', { actor: 'operator' });
  });
  for (const name of readdirSync(folder)) chownSync(join(folder, name), user.uid, user.gid);
  chownSync(folder, user.uid, user.gid);
  return folder;
}

/** Asserts that every file of a folder belongs to the service. */
function assertOwned(folder: string, what: string): void {
  for (const [file, owner] of Object.entries(ownersIn(folder)))
    assert.ok(owner.startsWith(`${service.uid}:${service.gid} `), `${what}: ${file} ${owner}`);
}

/** Commands of each kind: one that writes accounts, one that replaces the key file, one that reads all, one that stays. */
export const someCommands: readonly string[] = ['user add', 'key rotate', 'doctor', 'serve'];
/** All commands. */
export const everyCommand: readonly string[] = commands;

/** Declares the tests. @param programs the commands of root that run as programs of their own. */
export function declareFileOwner(programs: readonly string[]): void {
  /** Runs commands as root. */
  function rootOf(
    t: TestContext,
  ): (name: string, data: Readonly<Record<string, string>>) => Promise<Outcome> {
    const host = new CommandHost(root);
    t.after(() => host.close());
    return (name, data) =>
      programs.includes(name)
        ? run(name, root, data)
        : host.run(lineOf(name), { environment: { PORT: '0', ...data }, input });
  }

  describe('a command on the data of another user', { skip: skipReason() }, () => {
    test('root leaves no file that the service cannot open, by any command', async (t) => {
      const folder = await dataOf(t, service);
      const earlier = ownersIn(folder);
      const names = commands.filter((name) => name !== 'user remove' && name !== 'serve');
      const runAsRoot = rootOf(t);
      for (const name of [...names, 'user remove']) {
        const { stdout, stderr } = await runAsRoot(name, { DATA_DIR: folder });
        assert.doesNotMatch(stderr, /^\s+at /m, `${name}: ${stderr}`);
        assert.notEqual(stdout + withoutPlace(stderr), '', name);
        assertOwned(folder, name);
      }
      const served = await serve(root, { DATA_DIR: folder });
      assert.equal(served.code, 0, served.stderr);
      assert.deepEqual(ownersIn(folder), earlier);
    });

    test('root works on the files of the service while it runs, and it goes on', async (t) => {
      const folder = await dataOf(t, service);
      const host = new CommandHost(service);
      t.after(() => host.close());
      await Promise.all([
        host.json(['user', 'list'], { environment: { DATA_DIR: folder } }),
        run('user list', root, { DATA_DIR: folder }),
        run('key rotate', root, { DATA_DIR: folder }),
      ]);
      assertOwned(folder, 'commands of root and of the service');
      await host.json(['user', 'list'], { environment: { DATA_DIR: folder } });
    });

    test('a folder that is closed to another user: every command names the user to run it as', async (t) => {
      const folder = await dataOf(t, service);
      const earlier = ownersIn(folder);
      const host = new CommandHost(other);
      t.after(() => host.close());
      for (const name of commands.filter((one) => !withoutData.has(one))) {
        const environment = { DATA_DIR: folder, PORT: '0' };
        const { code, stdout, stderr } = await host.run(lineOf(name), { environment, input });
        assert.equal(code, 1, `${name}: ${stdout}${stderr}`);
        const said = name === 'doctor' ? stdout : withoutPlace(stderr);
        assert.match(said, /cannot be (?:reached|read)|belongs to/, name);
        if (!name.startsWith('key ') || name === 'key reseal')
          assert.match(said, /sudo -u '#61234' bienvenue/, name);
        assert.doesNotMatch(stderr, /^\s+at /m);
        assert.deepEqual(ownersIn(folder), earlier, name);
      }
    });

    test('a folder that is open to another user: no command opens the database or replaces a file', async (t) => {
      const folder = await dataOf(t, service);
      for (const name of ['', ...readdirSync(folder)])
        chmodSync(join(folder, name), name === '' ? 0o777 : 0o666);
      const earlier = ownersIn(folder);
      const keys = readFileSync(join(folder, 'secret.key'), 'utf8');
      const host = new CommandHost(other);
      t.after(() => host.close());
      for (const name of commands.filter((one) => !withoutData.has(one) && one !== 'key list')) {
        const environment = { DATA_DIR: folder, PORT: '0' };
        const { code, stdout, stderr } = await host.run(lineOf(name), { environment, input });
        assert.equal(code, 1, `${name}: ${stdout}${stderr}`);
        const said = name === 'doctor' ? stdout : withoutPlace(stderr);
        assert.match(said, /belongs to .*sudo -u '#61234' bienvenue/s, name);
        assert.deepEqual(ownersIn(folder), earlier, name);
      }
      assert.equal(readFileSync(join(folder, 'secret.key'), 'utf8'), keys);
    });

    test('root does not work with its own rights in a folder of another user, not even on a file of root', async (t) => {
      const folder = await dataOf(t, service);
      const outer = await temporaryFolder(t); // of root, and closed to the service
      for (const name of readdirSync(folder)) {
        const target = join(outer, name);
        renameSync(join(folder, name), target);
        chownSync(target, root.uid, root.gid);
        symlinkSync(target, join(folder, name));
      }
      const earlier = ownersIn(outer);
      const runAsRoot = rootOf(t);
      for (const name of commands.filter((one) => !withoutData.has(one))) {
        const { code, stdout, stderr } = await runAsRoot(name, { DATA_DIR: folder });
        assert.equal(code, 1, `${name}: ${stdout}${stderr}`);
        assert.doesNotMatch(stderr, /^\s+at /m, name);
        assert.deepEqual(ownersIn(outer), earlier, name);
      }
    });

    test('root keeps no group of its own', async (t) => {
      const account = readFileSync('/etc/passwd', 'utf8')
        .split('\n')
        .map((line) => line.split(':'))
        .find(([, , uid, gid]) => uid !== '0' && gid !== '0' && gid !== undefined);
      if (account === undefined) return t.skip('this system knows no user but root');
      const user = { uid: Number(account[2]), gid: Number(account[3]) };
      const folder = await dataOf(t, { uid: user.uid, gid: root.gid });
      const { code, stderr } = await run('key rotate', root, { DATA_DIR: folder });
      assert.equal(code, 1, stderr); // the file keeps its group, which the user may not give
      assert.match(stderr, /belongs to another user/);
      assert.equal((await serve(root, { DATA_DIR: folder })).code, 0);
      await run('user list', root, { DATA_DIR: folder });
    });

    test('the first start as root in an empty folder of a user makes files of that user', async (t) => {
      const outer = await temporaryFolder(t);
      chmodSync(outer, 0o755);
      const folder = join(outer, 'data');
      mkdirSync(folder, { mode: 0o700 });
      chownSync(folder, service.uid, service.gid);
      const { code, stderr } = await serve(root, { DATA_DIR: folder });
      assert.equal(code, 0, stderr);
      assert.deepEqual(Object.keys(ownersIn(folder)).toSorted(), ['.', 'bienvenue.db', 'secret.key']);
      assertOwned(folder, 'serve');
    });

    test('doctor names each file of another owner, with the command that mends it', async (t) => {
      const folder = await dataOf(t, service);
      chownSync(join(folder, 'secret.key'), other.uid, other.gid);
      const backup = join(folder, 'backup');
      mkdirSync(backup, { mode: 0o755 });
      chownSync(backup, service.uid, service.gid);
      const { stdout } = await run('doctor', root, { DATA_DIR: folder });
      assert.match(
        stdout,
        /secret\.key belongs to the user 61240, the database to the user 61234; .*chown 61234 /,
      );
      symlinkSync('/etc/passwd', join(backup, 'link'));
      symlinkSync('/etc', join(folder, 'etc'));
      const linked = await run('doctor', root, { DATA_DIR: folder });
      assert.doesNotMatch(linked.stdout, /link|etc/, 'no remedy leads out of the folder');
      assert.match(stdout, /backup can be read by other users of this machine; run: chmod go= /);
    });
  });

  test('a backup that root put into the folder of the service is the only file to change', async (t) => {
    const folder = await dataOf(t, service);
    const file = join(folder, 'bienvenue.db');
    chownSync(file, root.uid, root.gid);
    const { stdout } = await run('doctor', root, { DATA_DIR: folder });
    const says = 'bienvenue.db belongs to root, its folder to the user 61234; run: chown 61234 ';
    assert.ok(stdout.includes(`${says}${file}`), stdout);
    assert.equal(stdout.match(/chown/g)?.length, 1, stdout);
    for (const name of ['user list', 'serve']) {
      const { code, stderr } =
        name === 'serve'
          ? await serve(service, { DATA_DIR: folder })
          : await run(name, service, { DATA_DIR: folder });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /belongs to root, its folder to .*: if root restored it, run as root: chown 61234 /,
      );
    }
  });

  describe('a folder without data', () => {
    test('no command but serve creates a database, a key or a folder, and each says where it looked', async (t) => {
      const folder = join(await temporaryFolder(t), 'nowhere');
      const host = new CommandHost();
      t.after(() => host.close());
      for (const name of commands.filter((one) => !withoutData.has(one) && one !== 'serve')) {
        const environment = { DATA_DIR: folder, PORT: '0' };
        const { code, stdout, stderr } = await host.run(lineOf(name), { environment, input });
        assert.equal(existsSync(folder), false, name);
        const said = stdout + stderr;
        assert.ok(said.includes(folder), `${name}: ${said}`);
        if (name === 'doctor') continue; // it says that the first start creates them
        assert.equal(code, 1, `${name}: ${said}`);
        assert.match(said, /There is no database .*DATA_DIR is|The key file .* does not exist\./, name);
      }
    });
  });
}

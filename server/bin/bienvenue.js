#!/usr/bin/env node
/**
 * Starts Bienvenue on a Node.js that can run it: that of the system or, if it is too old, the runtime that a checkout
 * installs as an optional package (docs/decisions/0015-library-package.md).
 *
 * Plain JavaScript for Node 16: an older system could not parse any other file of Bienvenue.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const SELF = fileURLToPath(import.meta.url);
const HERE = path.dirname(SELF);
/** As in `engines` of package.json: the first Node whose sqlite and type stripping print no warning. */
const LEAST = [24, 16];
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'];

function isRecent(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]);
}

/**
 * The compiled files in a published package (Node refuses to strip types below node_modules); elsewhere the bundle of the
 * sources or, if they have changed since it was made, the sources.
 */
async function findEntry() {
  const { findProgram } = await import('./program-bundle.js');
  const program = findProgram();
  if (program !== undefined) {
    module.setSourceMapsSupport(true); // stack traces name the lines of the sources
    return program;
  }
  const source = path.join(HERE, '..', 'src', 'main.ts');
  const isPublished = HERE.split(path.sep).includes('node_modules');
  return !isPublished && existsSync(source) ? source : path.join(HERE, '..', 'dist', 'main.js');
}

/** @returns {string | undefined} the program of the pinned runtime, searched from here upwards as Node does */
function findPinnedRuntime() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`node-${platform}-${process.arch}/package.json`);
    // Checked before it is started: a runtime that is too old itself would restart itself forever.
    if (!isRecent(JSON.parse(readFileSync(manifest, 'utf8')).version)) return undefined;
    const program = path.join(
      path.dirname(manifest),
      'bin',
      process.platform === 'win32' ? 'node.exe' : 'node',
    );
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined; // not installed: not a checkout, another platform, or --omit=optional
  }
}

function runOn(program) {
  const child = spawn(program, [...process.execArgv, SELF, ...process.argv.slice(2)], {
    stdio: 'inherit',
    // In a process group of its own, the child receives Ctrl-C once, from us, and not also from the terminal: the
    // server takes a second signal as "do not wait". Windows would open another console for it, and its consoles signal
    // every process anyway.
    detached: process.platform !== 'win32',
  });
  const forward = (signal) => {
    if (process.platform !== 'win32') child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, forward);

  child.on('error', (error) => {
    fail(
      `Bienvenue cannot start the Node.js that came with it (${program}): ${error.message}. ` +
        'It needs a Linux with glibc 2.28 or later, not Alpine, or 64-bit Windows. ' +
        'Elsewhere, install Node.js 24 LTS and start Bienvenue with that.',
    );
  });
  child.on('exit', (code, signal) => {
    for (const each of SIGNALS) process.removeListener(each, forward);
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    // Ends as the child ended, so that a shell or supervisor sees the same. The first process of a container cannot
    // kill itself with a signal: then it exits with the code that a shell would report.
    process.exitCode = 128 + constants.signals[signal];
    process.kill(process.pid, signal);
  });
}

/**
 * npm starts a script through a shell, and sends SIGTERM to that shell. If the shell is dash, it dies and forwards
 * nothing: `npm start` ends, while the server continues to run and keeps its port. So under npm the loss of the parent
 * counts as SIGTERM. A server that is already stopping is left alone, because a second signal means "do not wait".
 */
function stopWithShell(shell) {
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 100);
  watch.unref();
  for (const signal of SIGNALS) {
    // Only in addition to the server's own listener: a first listener would switch off the signal's usual effect.
    if (process.listenerCount(signal) > 0) process.on(signal, () => clearInterval(watch));
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

if (isRecent(process.versions.node)) {
  const parent = process.ppid; // checked first: the parent may be gone by the time the server listens
  // Some hundred files are compiled at each start; this cache keeps the compiled code. It is in our own folder, because
  // anyone who can write there could change the program itself; if the folder is read-only, there is no cache.
  process.env.NODE_COMPILE_CACHE ??= path.join(HERE, '..', '.cache', 'compile'); // read by the threads
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
  await import('./use-bundle.js');
  await import(pathToFileURL(await findEntry()).href);
  module.flushCompileCache(); // now, not at the end: a service may end by a signal
  if (process.env.npm_lifecycle_event !== undefined && process.platform !== 'win32') stopWithShell(parent);
} else {
  const program = findPinnedRuntime();
  if (program !== undefined) {
    runOn(program);
  } else {
    fail(
      `Bienvenue needs Node.js ${LEAST.join('.')} or later. This is ${process.versions.node}. ` +
        'Install Node.js 24 LTS (https://nodejs.org). In a checkout, `npm start` installs it on Linux and Windows.',
    );
  }
}

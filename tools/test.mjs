/**
 * Runs the tests of one lane (docs/decisions/0012-test-lanes.md). The name of a file says which lane it belongs to:
 *
 *   *.test.ts           main     shares a process with others
 *   *.process.test.ts   main     has a process of its own: it ends processes, changes globals or measures time
 *   *.system.ts|mjs     system   has a process of its own
 *   *.long.ts           long     has a process of its own, one after the other
 *
 *   node tools/test.mjs [main|system|long] [--seed NUMBER] [--pattern TITLE] [--times FILE] [PATH…]
 *
 * A PATH is the beginning of a file's path, from the root of the project; without one, all files of the lane run. The
 * largest file starts first, unless `--seed` or TEST_SEED names an order: a number, or `random`. `--times` writes how long
 * each test took: rows of milliseconds, kind, file, depth and title.
 */
import { existsSync, globSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.resolve(import.meta.dirname, '..');
const globalSetupPath = path.join(root, 'server/test/support/postgres-server.ts');

/** Tests whose subject behaves differently on each engine. The main lane runs these on both, and the others on SQLite. */
const bothEngines =
  /(?:^server\/src\/db\/|^server\/src\/library\/|store\.test\.ts$|^server\/test\/(?:model|races)\/|contract)/;
/** A file that runs its tests once for each engine. */
const usesEngines = /\b(?:onEachEngine|engineNames)\b/;

/**
 * A process of the run and its files.
 * @typedef {{ name: string, files: string[], engines?: string, weight: number }} Job
 */

/**
 * @param {string} suffix @returns {string[]} The files whose names end with the suffix, from the root of the project.
 */
function filesNamed(suffix) {
  // The tests of a fixture run where a test copies it to.
  const exclude = ['server/test/fixture/**'];
  return globSync([`server/{src,test}/**/*.${suffix}`, `tools/*.${suffix}`], { cwd: root, exclude })
    .map((file) => file.replaceAll(path.sep, '/'))
    .toSorted();
}

/** Bytes that stand for the compiler, the lint and the tests of a copy of the project. */
const copyBytes = 40_000;

/**
 * Bytes of a file and of what it imports from its folder, also in turn: an estimate of its duration before it has run.
 * @param {string} file @returns {number}
 */
function sizeOf(file) {
  const read = new Map([[file, readFileSync(path.join(root, file), 'utf8')]]);
  for (const [name, text] of read) {
    for (const [, imported = ''] of text.matchAll(/ from '\.\/([\w-]+\.ts)';/g)) {
      const other = path.join(path.dirname(name), imported);
      if (!read.has(other) && existsSync(path.join(root, other)))
        read.set(other, readFileSync(path.join(root, other), 'utf8'));
    }
  }
  const texts = [...read.values()].join('');
  return texts.length + (texts.includes('/project-copy.ts') ? copyBytes : 0);
}

/** Divides files into processes of about the same weight. @param {string} name @param {string[]} files @param {number} count @param {string} engines @returns {Job[]} */
function shards(name, files, count, engines) {
  const jobs = Array.from({ length: Math.min(count, files.length) }, (_, i) => ({
    name: `${name}-${i + 1}`,
    files: /** @type {string[]} */ ([]),
    engines,
    weight: 0,
  }));
  for (const file of files) {
    const [lightest] = jobs.toSorted((one, other) => one.weight - other.weight);
    if (lightest === undefined) break;
    lightest.files.push(file);
    lightest.weight += sizeOf(file);
  }
  return jobs;
}

/** One process for each file, named after its path: files in different folders can have the same name. @param {string[]} files @returns {Job[]} */
const alone = (files) =>
  files.map((file) => ({ name: file.replaceAll('/', '.'), files: [file], weight: sizeOf(file) }));

/** The processes of each lane, from the files that are in it. @type {Record<string, (chosen: (files: string[]) => string[]) => Job[]>} */
const lanes = {
  main: (chosen) => {
    const own = chosen(filesNamed('process.test.ts'));
    const shared = chosen(filesNamed('test.ts')).filter((file) => !own.includes(file));
    return [
      ...shards(
        'sqlite',
        shared.filter((file) => !bothEngines.test(file)),
        3,
        'sqlite',
      ),
      ...shards(
        'engines',
        shared.filter((file) => bothEngines.test(file)),
        1,
        'sqlite,postgres',
      ),
      ...alone(own),
    ];
  },
  system: (chosen) => {
    const others = chosen(filesNamed('test.ts')).filter(
      (file) => !bothEngines.test(file) && usesEngines.test(readFileSync(path.join(root, file), 'utf8')),
    );
    return [...shards('postgres', others, 2, 'postgres'), ...alone(chosen(filesNamed('system.{ts,mjs}')))];
  },
  long: (chosen) => alone(chosen(filesNamed('long.ts'))),
};

/**
 * Starts the largest quarter before the others, in the same order: what takes longest must not be left alone at the end.
 * @param {Job[]} jobs @returns {Job[]}
 */
function largestFirst(jobs) {
  const [least = 0] = jobs
    .map(({ weight }) => weight)
    .toSorted((one, other) => other - one)
    .slice(Math.floor(jobs.length / 4));
  const isLarge = (/** @type {Job} */ { weight }) => weight > least;
  return [...jobs.filter(isLarge), ...jobs.filter((job) => !isLarge(job))];
}

/** Processes at a time, for two cores: some tests wait for a timeout, a browser or another program. @type {Record<string, number>} */
const processes = { main: 4, system: 4, long: 1 };

/** A generator of numbers from 0 to 1, the same for the same seed (mulberry32). @param {number} seed */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @template T @param {T[]} items @param {() => number} random @returns {T[]} */
function shuffled(items, random) {
  return items
    .map((item) => ({ item, place: random() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ item }) => item);
}

/** CPU seconds of the ended child processes and theirs, where the system tells (Linux). @returns {number | undefined} */
function childCpuSeconds() {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[13]) + Number(fields[14])) / 100; // cutime and cstime, in ticks of 10 ms
  } catch {
    return undefined;
  }
}

/** Ids of the processes that this one and its tests have started, where the system tells (Linux). @returns {number[]} */
function descendants() {
  /** @type {Map<number, number>} */
  const parents = new Map();
  for (const id of existsSync('/proc/self/stat') ? readdirSync('/proc') : []) {
    if (!/^\d+$/.test(id)) continue;
    try {
      const [, parent] = readFileSync(`/proc/${id}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      parents.set(Number(id), Number(parent));
    } catch {
      // It has just ended.
    }
  }
  /** @type {(id: number) => boolean} */
  const isOwn = (id) => {
    const parent = parents.get(id) ?? 0;
    return parent === process.pid || (parent > 1 && isOwn(parent));
  };
  return [...parents.keys()].filter(isOwn);
}

/** @param {number} id */
function end(id) {
  try {
    process.kill(id, 'SIGTERM');
  } catch {
    // It has ended.
  }
}

/** Maximum number of files in the compile cache: several times those of one version of the project. */
const maxCompiled = 20_000;

/**
 * Sets the compile cache of Node.js for all processes of the run, and for the threads and programs that tests start.
 * Stripping types and compiling takes half of the CPU time of a start.
 * @param {string} folder
 */
function useCompileCache(folder) {
  // Tests copy the project to a new folder each time, whose files nothing uses again.
  if (existsSync(folder) && readdirSync(folder, { recursive: true }).length > maxCompiled)
    rmSync(folder, { recursive: true, force: true });
  process.env['NODE_COMPILE_CACHE'] ??= folder;
}

/** Writes the program of a process, which imports the test files in order. @param {string} folder @param {Job} job */
async function writeProgram(folder, { name, files, engines }) {
  const program = path.join(folder, `${name}.mjs`);
  const lines = [
    ...(engines === undefined ? [] : [`process.env['TEST_ENGINES'] ??= '${engines}';`]),
    ...files.map((file) => `await import('${pathToFileURL(path.join(root, file)).href}');`),
  ];
  await writeFile(program, `${lines.join('\n')}\n`, { flag: 'wx' }); // refuses a second one of a name
  return program;
}

/**
 * Says how a process failed outside of its tests, and its last words, which are far above in the output.
 * @param {string} program @param {{ exitCode?: number | null, signal?: string | null }} error @param {string[]} words
 */
function brokenProcess(program, { exitCode, signal }, words) {
  const how = signal ? `by ${signal}` : `with code ${exitCode}`;
  return [`${path.basename(program)} ended ${how}, outside of its tests:`, ...words.slice(-20)].join('\n  ');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    pattern: { type: 'string' },
    times: { type: 'string' },
  },
});
const [lane = 'main', ...paths] = positionals;
const jobsOf = lanes[lane];
if (jobsOf === undefined)
  throw new Error(`No lane is called ${lane}: there are ${Object.keys(lanes).join(', ')}`);

const wanted = values.seed ?? process.env['TEST_SEED'];
const seed = wanted === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(wanted ?? Number.NaN);
if (wanted !== undefined && !Number.isInteger(seed))
  throw new Error(`The seed is a whole number or random, not ${wanted}`);
const random = wanted === undefined ? undefined : randomFrom(seed);
const order = random === undefined ? 'largest file first' : `order of seed ${seed}`;

const named = (/** @type {string[]} */ files) =>
  paths.length === 0 ? files : files.filter((file) => paths.some((start) => file.startsWith(start)));
const chosen = (/** @type {string[]} */ files) =>
  random === undefined
    ? named(files).toSorted((one, other) => sizeOf(other) - sizeOf(one))
    : shuffled(named(files), random);

const jobs = largestFirst(jobsOf(chosen));
if (jobs.length === 0) throw new Error(`The ${lane} lane has no such file`);
const cache = path.join(root, '.cache');
await mkdir(cache, { recursive: true });
useCompileCache(path.join(cache, 'compiled'));
const folder = await mkdtemp(path.join(cache, 'lane-'));
const startedAt = performance.now();
process.stdout.write(`Test lane ${lane}: ${order}\n`);
/** @type {(string | number | undefined)[][]} */
const times = [];
const count = { 'test:pass': 0, 'test:fail': 0 };
/** Whether every file has a test to run: no pattern and no engine is chosen. */
const runsAll = values.pattern === undefined && process.env['TEST_ENGINES'] === undefined;
/** What each process said outside of its tests. @type {Map<string, string[]>} */
const said = new Map();
/** The processes that failed outside of their tests, and those that ran none. @type {string[]} */
const broken = [];
try {
  const programs = [];
  for (const job of jobs) {
    const program = await writeProgram(folder, job);
    programs.push(program);
    said.set(program, []);
  }
  const ended = new AbortController();
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.prependOnceListener(signal, () => {
      const started = descendants();
      ended.abort();
      for (const id of started) end(id);
    });
  const events = run({
    signal: ended.signal,
    files: programs,
    concurrency: processes[lane] ?? 1,
    globalSetupPath,
    execArgv: ['--import', pathToFileURL(path.join(import.meta.dirname, 'light-tests.mjs')).href],
    ...(values.pattern !== undefined && { testNamePatterns: [values.pattern] }),
  });
  const reporter = new spec();
  reporter.pipe(process.stdout, { end: false });
  for await (const event of events) {
    const { type, data } = event;
    if (type === 'test:pass' || type === 'test:fail') {
      count[type] += 1;
      times.push([
        Math.round(data.details.duration_ms),
        data.details.type,
        path.relative(root, data.file ?? ''),
        data.nesting,
        data.name,
      ]);
    }
    if (type === 'test:stderr' || (type === 'test:diagnostic' && data.nesting === 0))
      said.get(data.file ?? '')?.push(data.message.trimEnd());
    if (type === 'test:fail' && said.has(data.name))
      broken.push(brokenProcess(data.name, data.details.error, said.get(data.name) ?? []));
    // Node.js counts a file without tests as a test that passed.
    if (type === 'test:pass' && said.has(data.name) && runsAll) {
      count['test:fail'] += 1;
      broken.push(`${path.basename(data.name)} ran no test`);
    }
    reporter.write(event);
  }
  reporter.end();
  await finished(reporter);
} finally {
  await rm(folder, { recursive: true, force: true });
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
const cpu = childCpuSeconds();
const result = count['test:fail'] === 0 ? 'passed' : 'FAILED';
for (const text of broken) process.stdout.write(`\n${text}\n`);
process.stdout.write(
  `\nTest lane ${lane} ${result} in ${seconds} s${cpu === undefined ? '' : `, ${cpu.toFixed(1)} s of CPU`}; ${order}\n`,
);
if (count['test:fail'] > 0) process.exitCode = 1;
if (values.times !== undefined) await writeFile(values.times, `${JSON.stringify(times)}\n`);

// Changes one thing at a time in the code of each area, and tells which changes no test notices. Given files, it measures
// these alone: npm run mutate -- server/src/identity/sign-in/guard.ts server/src/identity/password/login.ts:40-80
// With --list it prints the files of each area, and measures nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { makeScratchFolder } from '../server/test/support/scratch.ts';
import { areas, guards } from './areas.mjs';

const root = join(import.meta.dirname, '..');
const program = join(import.meta.dirname, 'node_modules/@stryker-mutator/core/bin/stryker.js');
const results = join(root, '.cache/mutation');
/** Of a folder's mutants, in percent. */
const minScore = 80;
/** Markup, which a real browser judges (server/test/pages), and what the compiler checks. */
const isLeftOut = (/** @type {string} */ path) =>
  /(?:(?:pages|page-form|prompt|module|schema)\.ts|\.(?:test|system|long)\.ts)$/.test(path);

/** Folders in which every file is in an area. */
const measuredFolders = ['identity', 'library', 'page', 'user'];

/** @param {readonly string[]} places Files and folders below server/src. @returns {string[]} The code in them that is measured. */
function codeIn(places) {
  const patterns = places.map((place) => `server/src/${place}{.ts,/**/*.ts}`);
  return globSync(patterns, { cwd: root })
    .filter((path) => !isLeftOut(path))
    .toSorted();
}

/** Each file in the first area that names it or its folder. @returns {Map<string, string>} Areas by file. */
function placeFiles() {
  const placed = new Map();
  for (const [area, { code }] of Object.entries(areas))
    for (const file of codeIn(code)) if (!placed.has(file)) placed.set(file, area);
  return placed;
}

/** @param {string} area @param {string[]} patterns @returns {Promise<Measured[]>} */
async function measure(area, patterns) {
  // A test that is ended when it has noticed leaves its database.
  const scratch = await makeScratchFolder();
  try {
    return await measureIn(scratch, area, patterns);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** @param {string} scratch @param {string} area @param {string[]} patterns @returns {Promise<Measured[]>} */
async function measureIn(scratch, area, patterns) {
  const report = join(results, `${area}.json`);
  const configuration = join(import.meta.dirname, 'stryker.config.mjs');
  const child = spawn(process.execPath, [program, 'run', configuration, '--mutate', patterns.join(',')], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, MUTATION_AREA: area, MUTATION_REPORT: report, TMPDIR: scratch },
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`The area ${area} could not be measured`);
  const { files } = JSON.parse(await readFile(report, 'utf8'));
  return Object.entries(files).map(([path, { mutants }]) => ({ path, mutants }));
}

/** @param {Mutant[]} mutants @returns {{ all: number, noticed: number, score: string }} */
function scoreOf(mutants) {
  const counted = mutants.filter(({ status }) => status !== 'Ignored');
  const noticed = counted.filter(({ status }) => status === 'Killed' || status === 'Timeout').length;
  const all = counted.length;
  return { all, noticed, score: all === 0 ? '' : ((100 * noticed) / all).toFixed(0) };
}

const isList = process.argv.includes('--list');
const given = process.argv.slice(2).filter((text) => text !== '--list');
const placed = placeFiles();
const files = [...placed.keys()];
const stray = codeIn(measuredFolders).filter((file) => !placed.has(file));
if (stray.length > 0) throw new Error(`mutate/areas.mjs has no area for ${stray.join(', ')}`);
const tests = Object.values(areas).flatMap((area) => area.tests.map((name) => `server/${name}.test.ts`));
const absent = [
  ...Object.values(areas).flatMap(({ code }) => code.filter((place) => codeIn([place]).length === 0)),
  ...[...tests, ...guards].filter((file) => !existsSync(join(root, file))),
];
if (absent.length > 0) throw new Error(`mutate/areas.mjs names what does not exist: ${absent.join(', ')}`);
const unknown = given.filter((text) => !files.includes(text.replace(/:.*/, '')));
if (unknown.length > 0) throw new Error(`No code that is measured: ${unknown.join(', ')}`);

if (isList) {
  for (const [file, area] of placed) process.stdout.write(`${area.padEnd(12)} ${file}\n`);
  process.exit(0);
}

await mkdir(results, { recursive: true });
const begun = Date.now();
/** @type {Measured[]} */
const measured = [];
for (const area of Object.keys(areas)) {
  const own = files.filter((file) => placed.get(file) === area);
  const patterns = given.length === 0 ? own : given.filter((text) => own.includes(text.replace(/:.*/, '')));
  if (patterns.length > 0) measured.push(...(await measure(area, patterns)));
}

const survivors = measured.flatMap(({ path, mutants }) =>
  mutants
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map(({ status, mutatorName, replacement = '', location: { start } }) => ({
      path,
      text: `${path}:${start.line}:${start.column} ${mutatorName}${status === 'NoCoverage' ? ', reached by no test' : ''}: ${replacement.replaceAll(/\s+/g, ' ')}`,
    })),
);
const list = join(results, 'survivors.txt');
await writeFile(list, survivors.map(({ text }) => `${text}\n`).join(''));

/** @param {string} name @param {Mutant[]} mutants */
const row = (name, mutants) => {
  const { all, noticed, score } = scoreOf(mutants);
  return `${name.padEnd(28)} ${String(all).padStart(7)} ${String(noticed).padStart(7)} ${score.padStart(6)} %`;
};
const lines = [
  `${'file'.padEnd(28)} ${'mutants'.padStart(7)} ${'noticed'.padStart(7)} ${'score'.padStart(8)}`,
];
const faults = [];
for (const folder of [...measuredFolders, 'features']) {
  const inside = measured.filter(({ path }) => path.startsWith(`server/src/${folder}/`));
  if (inside.length === 0) continue;
  for (const { path, mutants } of inside) lines.push(row(path.slice('server/src/'.length), mutants));
  const all = inside.flatMap(({ mutants }) => mutants);
  lines.push(row(`${folder}/`, all));
  const { score } = scoreOf(all);
  if (Number(score) < minScore) faults.push(`${folder}/ has ${score} %, and ${minScore} % is the least`);
}
for (const guard of guards) {
  const count = survivors.filter(({ path }) => path === guard).length;
  if (count > 0) faults.push(`${guard} is a guard, and ${count} changes of it are not noticed`);
}
const minutes = ((Date.now() - begun) / 60_000).toFixed(0);
lines.push(
  '',
  `${survivors.length} changes survived, listed in ${relative(root, list)}; ${minutes} minutes`,
  ...faults,
);
process.stdout.write(`${lines.join('\n')}\n`);
if (faults.length > 0) process.exitCode = 1;

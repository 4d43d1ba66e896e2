// Changes one thing at a time in the code of each area, and tells which changes no test notices. Given files, it measures
// these alone: npm run mutate -- server/src/identity/sign-in/guard.ts server/src/identity/password/login.ts:40-80
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { makeScratchFolder } from '../server/test/support/scratch.ts';
import { areas, guards } from './areas.mjs';

const root = join(import.meta.dirname, '..');
const program = join(import.meta.dirname, 'node_modules/@stryker-mutator/core/bin/stryker.js');
const results = join(root, '.cache/mutation');
/** Of a folder's mutants, in percent. */
const minScore = 80;
/** Markup, which a real browser judges (server/test/pages). */
const isMarkup = (/** @type {string} */ path) => /(pages|page-form|factor-prompt)\.ts$/.test(path);

/** @typedef {{ status: string, mutatorName: string, replacement?: string, location: { start: { line: number, column: number } } }} Mutant */
/** @typedef {{ path: string, mutants: Mutant[] }} Measured */

/** @returns {Promise<string[]>} The code that is measured. */
async function measuredFiles() {
  const found = [];
  for (const folder of ['auth', 'user'])
    for (const name of await readdir(join(root, 'server/src', folder)))
      if (name.endsWith('.ts') && !name.endsWith('.test.ts') && !isMarkup(name))
        found.push(`${folder}/${name}`);
  return found.map((path) => `server/src/${path}`);
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

const given = process.argv.slice(2);
const files = await measuredFiles();
const placed = Object.values(areas).flatMap((area) => area.files.map((name) => `server/src/${name}.ts`));
const stray = [
  ...files.filter((file) => !placed.includes(file)),
  ...placed.filter((file) => !files.includes(file)),
];
if (stray.length > 0) throw new Error(`mutate/areas.mjs and the tree differ: ${stray.join(', ')}`);
const unknown = given.filter((text) => !files.includes(text.replace(/:.*/, '')));
if (unknown.length > 0) throw new Error(`No code that is measured: ${unknown.join(', ')}`);

await mkdir(results, { recursive: true });
const begun = Date.now();
/** @type {Measured[]} */
const measured = [];
for (const [area, { files: names }] of Object.entries(areas)) {
  const own = names.map((name) => `server/src/${name}.ts`);
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
for (const folder of ['auth', 'user']) {
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

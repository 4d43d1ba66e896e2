// npm run bench: measures the parts, prints the tables, and writes docs/project/benchmarks.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { partNames, parts, readResults, writeResults, type PartName, type Results } from './result.ts';
import { report } from './report.ts';
import { currentCommit, describeMachine } from './support/machine.ts';
import { Run } from './support/run.ts';

const help = `npm run bench -- [--only PART,PART] [--quick] [--output FILE]

  --only PARTS   of ${partNames.join(', ')}; the report keeps what was measured of the others before
  --quick        a few seconds for each part, to see whether the programs work; writes no report
  --output FILE  where the report goes; docs/project/benchmarks.md otherwise
  --help         this text

BENCH_DATABASE_URL=postgres://… uses that server; its user must be allowed to create databases.
`;

const defaultOutput = fileURLToPath(new URL('../docs/project/benchmarks.md', import.meta.url));

interface Arguments {
  readonly names: readonly PartName[];
  readonly quick: boolean;
  readonly output: string | undefined;
}

/** Returns the requested parts; `undefined` if help was requested. */
function readArguments(): Arguments | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean' },
      output: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return undefined;
  const names = values.only === undefined ? partNames : values.only.split(',').map(toPartName);
  const quick = values.quick ?? false;
  // Relative to where npm was called, not to the folder into which it changed.
  const output =
    values.output === undefined ? undefined : resolve(process.env['INIT_CWD'] ?? '.', values.output);
  return { names, quick, output: output ?? (quick ? undefined : defaultOutput) };
}

function toPartName(text: string): PartName {
  const name = partNames.find((known) => known === text.trim());
  if (name === undefined) throw new Error(`There is no part ${text}; the parts are ${partNames.join(', ')}`);
  return name;
}

async function measure(run: Run, names: readonly PartName[], before: Results): Promise<Results> {
  const machine = describeMachine(run.folder);
  const commit = currentCommit();
  let results = before;
  for (const name of names) {
    const result = await parts[name](run);
    const date = new Date().toISOString().slice(0, 10);
    results = { ...results, [name]: { date, commit, machine, result } };
    if (!run.quick) writeResults(results); // saves long measurements before a later part can fail
  }
  return results;
}

async function main(): Promise<void> {
  const asked = readArguments();
  if (asked === undefined) {
    process.stdout.write(help);
    return;
  }
  const { names, quick, output } = asked;
  const run = await Run.begin({ quick, databaseUrl: process.env['BENCH_DATABASE_URL'] });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void run.end().finally(() => process.exit(130)));
  }
  // Registered before the listeners of libraries: one of them ends the process.
  process.prependOnceListener('exit', () => run.abandon());
  try {
    const text = report(await measure(run, names, quick ? {} : readResults()));
    process.stdout.write(text);
    if (output !== undefined) {
      mkdirSync(dirname(output), { recursive: true });
      writeFileSync(output, text);
    }
  } catch (error) {
    fail(error); // before the cleanup, which may fail as well
  } finally {
    await run.end();
  }
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  fail(error);
}

/**
 * Updates the recorded ceilings of server/test/architecture.test.ts and server/test/words.test.ts.
 *
 *   npm run ceilings               lowers them to the counts; lists the counts above them and ends with 1
 *   npm run ceilings -- --accept   records the counts, also if they are higher: for files that were moved or renamed
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { architectureFindings, readCatalogs, readSources } from '../server/test/support/architecture.ts';
import {
  ceilingFaults,
  ceilingsFile,
  ceilingsOf,
  loweredCeilings,
  readCeilings,
} from '../server/test/support/ceilings.ts';
import {
  rateCeilings,
  rateFaults,
  ratesOf,
  readPassages,
  wordFindings,
} from '../server/test/support/words.ts';

const root = path.resolve(import.meta.dirname, '..');
const accept = process.argv.includes('--accept');

function write(name: 'architecture' | 'words', ceilings: object): void {
  writeFileSync(ceilingsFile(name), `${JSON.stringify(ceilings, null, 2)}\n`);
}

const findings = architectureFindings(readSources(root), readCatalogs(root));
const architecture = accept ? ceilingsOf(findings) : loweredCeilings(findings, readCeilings('architecture'));
write('architecture', architecture);

const passages = readPassages(root);
const [mannerisms, rates] = [wordFindings(passages), ratesOf(passages)];
const old = accept ? undefined : readCeilings('words');
const due = rateCeilings(rates);
const words = {
  files: old === undefined ? ceilingsOf(mannerisms) : loweredCeilings(mannerisms, old.files),
  rates:
    old === undefined
      ? due
      : Object.fromEntries(
          Object.entries(due).map(([group, rate]) => [group, Math.min(rate, old.rates[group] ?? 0)]),
        ),
};
write('words', words);

const faults = [
  ...ceilingFaults(findings, architecture),
  ...ceilingFaults(mannerisms, words.files),
  ...rateFaults(rates, words.rates),
];
for (const fault of faults) console.error(fault);
process.exitCode = faults.length > 0 ? 1 : 0;

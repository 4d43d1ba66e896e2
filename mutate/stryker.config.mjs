// How one area is measured; run.mjs says which, and what its mutants are.
import { areas } from './areas.mjs';
import { ignorerNames } from './ignorers.mjs';

const { tests } = areas[process.env['MUTATION_AREA'] ?? ''] ?? { tests: [] };
process.env['TEST_ENGINES'] = 'sqlite'; // both run the same statements
process.env['NODE_COMPILE_CACHE'] ??= `${import.meta.dirname}/../.cache/compile`;

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
// oxlint-disable-next-line import/no-default-export -- the program looks for one
export default {
  tap: {
    testFiles: tests.map((name) => `server/${name}.test.ts`),
    nodeArgs: [
      '--test-reporter=tap',
      '--test-timeout=10000',
      `--import=${new URL('../server/bin/use-bundle.js', import.meta.url).href}`,
      '-r',
      '{{hookFile}}',
      '{{testFile}}',
    ],
    forceBail: true,
  },
  testRunner: 'likeliest-first',
  plugins: ['likeliest-first', 'ignorers'].map((name) => `${import.meta.dirname}/${name}.mjs`),
  ignorers: ignorerNames,
  coverageAnalysis: 'perTest',
  ignoreStatic: true,
  // TypeScript 7 has no interface for programs; without a file of this name nothing is asked of it.
  tsconfigFile: 'none.json',
  ignorePatterns: ['/bench', '/mutate', '/.cache', '/data', '/reports'],
  tempDirName: '.stryker-tmp',
  // One more than is busy: some tests wait.
  concurrency: 3,
  // Above half as much again as the tests took: a hanging one ends by itself, and what is only slow is no fault.
  timeoutMS: 20_000,
  dryRunTimeoutMinutes: 10,
  reporters: ['progress-append-only', 'json'],
  jsonReporter: { fileName: process.env['MUTATION_REPORT'] },
  thresholds: { high: 90, low: 80, break: null },
};

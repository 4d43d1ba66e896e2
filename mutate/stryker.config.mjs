// Which code is changed, and which tests must notice (docs/mutation.md). One engine and the tests nearest to the trunk
// keep a run short; the others of `npm test` would only find more.
process.env['TEST_ENGINES'] = 'sqlite';
process.env['NODE_COMPILE_CACHE'] ??= `${import.meta.dirname}/../.cache/compile`;

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
// oxlint-disable-next-line import/no-default-export -- the program looks for one
export default {
  // Pages are markup, which a browser judges (server/test/pages): each run of it costs seconds.
  mutate: [
    'server/src/{auth,user}/*.ts',
    '!server/src/**/*.test.ts',
    '!server/src/auth/*pages.ts',
    '!server/src/auth/factor-prompt.ts',
  ],
  // Quick ones first: the first that fails ends the run of a mutant.
  tap: {
    testFiles: [
      'server/src/auth/password-rule.test.ts',
      'server/src/auth/breach-check.test.ts',
      'server/src/auth/password-blocklist.test.ts',
      'server/src/user/email-address.test.ts',
      'server/src/auth/token-store.test.ts',
      'server/src/user/store.test.ts',
      'server/src/user/db.test.ts',
      'server/src/auth/second-factor.test.ts',
      'server/src/auth/login.test.ts',
      'server/src/auth/auth.test.ts',
      'server/src/auth/attempts.test.ts',
      'server/src/auth/reset.test.ts',
      'server/test/drift.test.ts',
      'server/src/auth/guard.test.ts',
      'server/src/auth/session-routes.test.ts',
      'server/src/auth/disposable-domain.test.ts',
      'server/src/auth/one-time-token.test.ts',
      'server/test/journeys/second-factor.test.ts',
      'server/test/journeys/mail-pages.test.ts',
      'server/test/journeys/mail-flows.test.ts',
      'server/src/auth/routes.test.ts',
      'server/src/auth/session.test.ts',
    ],
    nodeArgs: ['--test-reporter=tap', '--test-timeout=20000', '-r', '{{hookFile}}', '{{testFile}}'],
    forceBail: true,
  },
  testRunner: 'tap',
  plugins: ['@stryker-mutator/tap-runner'],
  coverageAnalysis: 'perTest',
  ignoreStatic: true,
  // TypeScript 7 has no interface for programs; without a file of this name nothing is asked of it.
  tsconfigFile: 'none.json',
  ignorePatterns: ['/bench', '/mutate', '/.cache', '/data', '/reports'],
  tempDirName: '.stryker-tmp',
  concurrency: 2,
  timeoutMS: 10_000,
  dryRunTimeoutMinutes: 10,
  reporters: ['progress-append-only', 'json', 'clear-text'],
  jsonReporter: { fileName: '.cache/mutation.json' },
  clearTextReporter: { logTests: false, reportTests: false, reportScoreTable: true, reportMutants: false },
  thresholds: { high: 90, low: 80, break: 80 },
};

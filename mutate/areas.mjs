// Which code is changed, and which tests must notice (docs/project/mutation-testing.md). A mutant that survives costs all tests of its
// area, so each has those nearest to it. The others of `npm test` would only find more.

/** Who may pass: a change that survives here is a hole, and fails the run. */
export const guards = ['guard', 'admission', 'step-up', 'factor-change', 'page-guard'].map(
  (name) => `server/src/auth/${name}.ts`,
);

/** @typedef {{ readonly files: readonly string[], readonly tests: readonly string[] }} Area */

/** @type {Readonly<Record<string, Area>>} */
export const areas = {
  users: {
    files: ['user/email-address', 'user/store', 'user/db', 'user/attribute-store', 'user/user'],
    tests: [
      'src/user/email-address',
      'src/user/store',
      'src/user/db',
      'src/auth/auth',
      'src/auth/second-factor',
      'src/auth/account',
      'test/journeys/data-rights',
    ],
  },
  passwords: {
    files: ['password-rule', 'password-blocklist', 'breach-check', 'disposable-domain'].map(
      (name) => `auth/${name}`,
    ),
    tests: ['password-rule', 'password-blocklist', 'breach-check', 'disposable-domain'].map(
      (name) => `src/auth/${name}`,
    ),
  },
  guards: {
    files: [
      'guard',
      'admission',
      'step-up',
      'factor-change',
      'page-guard',
      'second-factor',
      'factor',
      'pending-login-store',
    ].map((name) => `auth/${name}`),
    tests: [
      'src/auth/second-factor',
      'src/auth/guard',
      'src/auth/login',
      'src/auth/page-guard',
      'src/auth/session',
      'src/auth/email-change',
      'src/auth/account',
      'src/auth/one-time-token',
      'test/journeys/second-factor',
      'test/journeys/passkey',
      'test/journeys/data-rights',
    ],
  },
  attempts: {
    files: ['login', 'attempts', 'attempt-store'].map((name) => `auth/${name}`),
    tests: ['src/auth/login', 'src/auth/attempts', 'src/auth/second-factor', 'test/journeys/data-rights'],
  },
  sessions: {
    files: [
      'session',
      'session-store',
      'seen-sessions',
      'session-routes',
      'device-store',
      'context',
      'forward-auth-routes',
    ].map((name) => `auth/${name}`),
    tests: [
      'src/auth/session',
      'src/auth/login',
      'src/auth/session-routes',
      'src/auth/forward-auth-routes',
      'test/drift',
      'test/journeys/second-factor',
      'test/journeys/data-rights',
    ],
  },
  proofs: {
    files: [
      'one-time-token',
      'token-store',
      'verification',
      'reset',
      'email-change',
      'email-sign-in',
      'notice',
      'password-change',
      'proof-routes',
    ].map((name) => `auth/${name}`),
    tests: [
      'src/auth/token-store',
      'src/auth/reset',
      'src/auth/one-time-token',
      'src/auth/verification',
      'src/auth/email-change',
      'src/auth/notice',
      'src/auth/account',
      'test/drift',
      'src/auth/auth',
      'test/journeys/mail-flows',
      'test/journeys/mail-pages',
      'test/journeys/passkey',
    ],
  },
  accounts: {
    files: [
      'account',
      'auth',
      'routes',
      'deletion',
      'data-export',
      'data-routes',
      'fields',
      'account-section',
    ].map((name) => `auth/${name}`),
    tests: [
      'src/auth/auth',
      'src/auth/account',
      'src/auth/verification',
      'src/auth/session-routes',
      'src/auth/email-change',
      'src/auth/one-time-token',
      'src/auth/fields',
      'src/auth/login',
      'src/auth/reset',
      'src/auth/session',
      'src/auth/second-factor',
      'test/drift',
      'src/auth/routes',
      'test/journeys/data-rights',
      'test/journeys/mail-flows',
      'test/journeys/second-factor',
      'test/journeys/passkey',
    ],
  },
};

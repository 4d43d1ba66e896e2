// Which code is changed, and which tests must notice (docs/project/mutation-testing.md). A mutant that survives costs all tests of its
// area, so each has those nearest to it. The others of `npm test` would only find more.

/** Code that decides who may pass: a change that survives here is a hole, and fails the run. */
export const guards = [
  'identity/sign-in/guard',
  'identity/sign-in/sign-in',
  'identity/step-up/step-up',
  'identity/enrollment/enrollment',
  'page/page',
].map((name) => `server/src/${name}.ts`);

/**
 * `code` holds files and folders below server/src, without the ending `.ts`; a folder stands for its files that no area
 * before this one has, also for those that are added later. `tests` are below server, without the ending `.test.ts`.
 * @typedef {{ readonly code: readonly string[], readonly tests: readonly string[] }} Area
 */

/** @type {Readonly<Record<string, Area>>} */
export const areas = {
  users: {
    code: [
      'user',
      'library/attribute-store',
      'library/db',
      'identity/session/chosen-store',
      'identity/token/chosen-store',
    ],
    tests: [
      'src/user/email-address',
      'src/user/store',
      'src/library/db',
      'src/library/auth',
      'src/identity/factor/second-factor',
      'src/identity/account/account',
      'test/journeys/data-rights',
    ],
  },
  passwords: {
    code: [
      'identity/password/rule',
      'identity/password/blocklist',
      // A line of a feature that is deleted is removed by `npm run generate`.
      'features/breach-check',
      'features/disposable-email',
    ],
    tests: [
      'src/identity/password/rule',
      'src/identity/password/blocklist',
      // Of features.
      'src/features/breach-check/breach-check',
      'src/features/disposable-email/disposable-email',
    ],
  },
  guards: {
    code: [
      'identity/sign-in/guard',
      'identity/sign-in/sign-in',
      'identity/step-up/step-up',
      'identity/sign-in/pending-store',
      'identity/enrollment',
      'identity/factor',
      'page/page',
    ],
    tests: [
      'src/identity/factor/second-factor',
      'src/identity/sign-in/guard',
      'src/identity/password/login',
      'src/page/page-guard',
      'src/identity/session/session',
      'src/features/email-change/email-change',
      'src/identity/account/account',
      'src/identity/token/one-time-token',
      'test/journeys/second-factor',
      'src/features/passkey/test/journey',
      'test/journeys/data-rights',
    ],
  },
  attempts: {
    code: ['identity/password/login', 'identity/attempt'],
    tests: [
      'src/identity/password/login',
      'src/identity/attempt/attempts',
      'src/identity/factor/second-factor',
      'test/journeys/data-rights',
    ],
  },
  sessions: {
    code: [
      'identity/session',
      'identity/sign-in/routes',
      'identity/step-up/routes',
      'identity/sign-in/device-store',
      'identity/context',
      'features/forward-auth',
    ],
    tests: [
      'src/identity/session/session',
      'src/identity/password/login',
      'src/identity/session/routes',
      'src/features/forward-auth/routes',
      'test/drift',
      'test/journeys/second-factor',
      'test/journeys/data-rights',
    ],
  },
  tokens: {
    code: [
      'identity/token',
      'identity/account/verification',
      'identity/password/reset',
      'identity/password/change',
      'identity/event',
      'features/email-change',
      'features/email-sign-in',
    ],
    tests: [
      'src/identity/token/store',
      'src/identity/password/reset',
      'src/identity/token/one-time-token',
      'src/identity/account/verification',
      'src/features/email-change/email-change',
      'src/identity/event',
      'src/identity/owner-mail',
      'src/identity/account/account',
      'test/drift',
      'src/library/auth',
      'test/journeys/mail-flows',
      'test/journeys/mail-pages',
      'src/features/passkey/test/journey',
    ],
  },
  accounts: {
    code: [
      'identity/account/account',
      'identity/account/routes',
      'library/auth',
      'page/account-section',
      'features/account-deletion',
      'features/data-export',
      // What no other area names.
      'identity',
      'library',
      'page',
    ],
    tests: [
      'src/library/auth',
      'src/identity/account/account',
      'src/identity/account/verification',
      'src/identity/session/routes',
      'src/features/email-change/email-change',
      'src/identity/token/one-time-token',
      'src/identity/password/login',
      'src/identity/password/reset',
      'src/identity/session/session',
      'src/identity/factor/second-factor',
      'test/drift',
      'src/identity/account/routes',
      'test/journeys/data-rights',
      'test/journeys/mail-flows',
      'test/journeys/second-factor',
      'src/features/passkey/test/journey',
    ],
  },
};

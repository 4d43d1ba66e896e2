// `user why`: what it says agrees with what a sign-in does, and no refusal of a sign-in is left without an explanation.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser } from '../../test/support/browser.ts';
import { onEachEngine } from '../../test/support/engines.ts';
import { anyHash } from '../../test/support/hashing.ts';
import { freshEmail } from '../../test/support/person.ts';
import { PublicService } from '../../test/support/public-service.ts';
import { lacks } from '../../test/support/feature.ts';
import { fromKits } from '../../test/support/kit.ts';
import { allEvents } from '../app/event-list.ts';
import { programSource } from '../audit/event.ts';
import { dayMs } from '../kit/clock.ts';
import { problemCodes } from '../kit/problem.ts';
import { DB } from '../library/db.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { explainSignIn } from './explain-sign-in.ts';
import { resetAttempts } from './attempts-reset.ts';
import type { FindingCode, SignInFacts } from './sign-in-facts.ts';
import { checkSignIn, isRefusal } from './sign-in-check.ts';

const password = 'a sentence that is long enough';

/** What happens to an account before the check, and what prevents the sign-in with the right password. */
interface State {
  readonly name: string;
  readonly make: (bench: Bench, email: string) => Promise<unknown>;
  readonly says: readonly FindingCode[];
  readonly environment?: Readonly<Record<string, string>>;
}

interface Bench {
  readonly service: PublicService;
  readonly db: DB;
  readonly add: (email: string, confirmed?: boolean) => Promise<number>;
  readonly sql: (text: string) => Promise<unknown>;
  readonly fail: (email: string, times: number) => Promise<void>;
}

const states: readonly State[] = [
  { name: 'a confirmed account', make: ({ add }, email) => add(email), says: [] },
  { name: 'an unknown address', make: async () => {}, says: ['unknown_address'] },
  {
    name: 'a user that the operator added without --confirmed',
    make: ({ add }, email) => add(email, false),
    says: ['unconfirmed'],
  },
  {
    name: 'a user of a program that did not say that the address is confirmed',
    make: ({ db }, email) => db.addUser(email, anyHash),
    says: ['unconfirmed'],
  },
  {
    name: 'a registration that waits for its confirmation',
    make: ({ service }, email) =>
      service.send({ method: 'POST', path: '/users', fields: { email, password } }),
    says: ['unconfirmed', 'no_way_in'],
  },
  {
    name: 'a disabled account',
    make: async ({ add, service }, email) =>
      service.service.core.accounts.setDisabled(await add(email), true, programSource),
    says: ['disabled'],
  },
  {
    name: 'a closed account',
    make: async ({ add, sql }, email) => {
      const id = await add(email);
      await sql(`update users set disabled_at = 1, delete_at = 2000000000000 where id = ${id}`);
    },
    says: ['closing'],
  },
  {
    name: 'a hash that no format reads',
    make: ({ db }, email) => db.addUser(email, '*', { allowsUnknownHash: true, emailVerified: true }),
    says: ['hash_unreadable'],
  },
  {
    name: 'an account without a password',
    make: async ({ add, sql }, email) =>
      sql(`update users set hashed_password = null where id = ${await add(email)}`),
    says: ['no_way_in'],
  },
  {
    name: 'a few failed attempts',
    make: async ({ add, fail }, email) => {
      await add(email);
      await fail(email, 4);
    },
    says: [],
  },
  {
    name: 'attempts that must wait',
    make: async ({ add, fail }, email) => {
      await add(email);
      await fail(email, 5);
    },
    says: ['paused'],
  },
  {
    name: 'a locked password',
    make: async ({ add, fail, sql }, email) => {
      await add(email);
      await fail(email, 1);
      await sql('update attempts set failures = 100, next_at = 0');
    },
    says: ['locked'],
  },
];

onEachEngine('user why', (engine) => {
  let service: PublicService;
  let bench: Bench;
  before(async () => {
    service = await PublicService.start(engine);
    const { database, accounts } = service.service.core;
    bench = {
      service,
      db: new DB(database, service.service.clock.now),
      add: async (email, confirmed = true) =>
        (
          await accounts.register(requireEmailAddress(email), password, programSource, {
            emailVerified: confirmed,
          })
        ).id,
      sql: (text) => database.execute(text),
      fail: async (email, times) => {
        for (let i = 0; i < times; i += 1) await signIn(email, 'a wrong sentence of words');
      },
    };
  });
  after(() => service.close());

  const signIn = async (email: string, typed: string): Promise<number> =>
    (
      await new Browser(service).send({
        method: 'POST',
        path: '/sessions',
        fields: { email, password: typed },
      })
    ).status;

  for (const { name, make, says } of states)
    test(`${name}: it says what a sign-in with the right password does`, async () => {
      const email = freshEmail();
      await make(bench, email);
      const { findings } = await checkSignIn(service.service.core, requireEmailAddress(email));
      const hindering = findings.filter(({ hinders }) => hinders === 'sign_in' || hinders === 'password');
      assert.deepEqual(
        hindering.map(({ code }) => code),
        says,
      );
      assert.equal((await signIn(email, password)) === 200, says.length === 0, JSON.stringify(findings));
      assert.equal(
        findings.some(({ code }) => code === 'nothing_stored'),
        says.length === 0,
      );
    });

  test('user confirm keeps the only registration, and of several none', async () => {
    const { emailVerification, database } = service.service.core;
    const register = (email: string, typed: string): Promise<unknown> =>
      new Browser(service).send({ method: 'POST', path: '/users', fields: { email, password: typed } });
    const confirm = async (email: string): Promise<unknown> => {
      const user = await bench.db.findUserBy({ email });
      return emailVerification.markVerified(user.id, { actor: 'operator' });
    };
    const [one, two, own] = [freshEmail(), freshEmail(), freshEmail()];
    await register(one, password);
    assert.equal(await confirm(one), 'registration');
    assert.equal(await signIn(one, password), 200);
    assert.equal(await confirm(one), undefined, 'it is confirmed already');
    await register(two, password);
    await register(two, `${password} too`);
    assert.equal(await confirm(two), 'nothing');
    for (const typed of [password, `${password} too`]) assert.equal(await signIn(two, typed), 401);
    await bench.add(own, false);
    await register(own, `${password} of a stranger`);
    assert.equal(await confirm(own), 'account');
    assert.equal(await signIn(own, `${password} of a stranger`), 401);
    assert.equal(await signIn(own, password), 200);
    const rows = await database.query((sql) =>
      sql
        .selectFrom('audit_events')
        .select('actor')
        .where('reason', '=', 'email_marked_verified')
        .where('actor', '=', 'operator'),
    );
    assert.equal(rows.length, 3);
  });

  test('user unlock ends a wait, and says so in the audit log', async () => {
    const { core } = service.service;
    const email = freshEmail();
    const id = await bench.add(email);
    await bench.fail(email, 6);
    assert.equal(await signIn(email, password), 429);
    assert.equal(await resetAttempts(core, id, { actor: 'operator' }), 1);
    assert.equal(await signIn(email, password), 200);
    assert.equal(await resetAttempts(core, id, { actor: 'operator' }), 0);
    assert.equal(await resetAttempts(core, 0, { actor: 'operator' }), undefined);
  });

  test('the last refusals are listed, each with what to do', async () => {
    const email = freshEmail();
    await bench.add(email, false);
    await signIn(email, password);
    const { refusals } = await checkSignIn(service.service.core, requireEmailAddress(email));
    assert.deepEqual(
      refusals.map(({ reason }) => reason),
      ['email_unconfirmed'],
    );
  });

  test('an email that did not arrive is named with its error', async () => {
    const email = freshEmail();
    await service.send({ method: 'POST', path: '/users', fields: { email, password } });
    const given = async (): Promise<readonly string[]> =>
      (await checkSignIn(service.service.core, requireEmailAddress(email))).findings
        .filter(({ code }) => code.startsWith('mail_'))
        .map(({ code, means }) => `${code}: ${means}`);
    assert.match((await given())[0] ?? '', /^mail_waiting: The email email_verification is not sent yet/);
    await bench.sql(
      `update mails set given_up_at = 1, last_error = '550 no such user' where recipient = '${email}'`,
    );
    assert.match((await given())[0] ?? '', /^mail_given_up: .*550 no such user/);
  });

  test('a required second factor that the user does not have is named', async (t) => {
    if (lacks(t, 'totp')) return;
    const strict = await service.reconfigured({ SECOND_FACTOR: 'required' });
    const email = freshEmail();
    await bench.add(email);
    const { findings } = await checkSignIn(strict.service.core, requireEmailAddress(email));
    assert.equal(findings[0]?.code, 'second_factor_missing');
    await strict.service.close();
  });
});

/**
 * The findings that explain each problem of a sign-in. A problem that is about the request and not about the account is
 * explained by `request_refused`. Those of features are in their kits.
 */
const problemsExplained: Readonly<Record<string, readonly FindingCode[]>> = {
  invalid_credentials: [
    'unknown_address',
    'closing',
    'disabled',
    'unconfirmed',
    'no_way_in',
    'no_password',
    'hash_unreadable',
    'nothing_stored',
  ],
  too_many_attempts: ['locked', 'paused', 'second_factors_locked'],
  factor_invalid: ['closing', 'disabled', 'unconfirmed', 'second_factor_required', 'nothing_stored'],
  token_invalid: ['closing', 'disabled', 'unconfirmed', 'mail_waiting', 'mail_given_up', 'nothing_stored'],
  pending_authentication_required: ['second_factor_required', 'second_factor_missing'],
  step_up_required: ['second_factor_required'],
  password_wrong: ['no_password', 'hash_unreadable', 'nothing_stored'],
  ...fromKits(({ signInProblems }) => signInProblems),
  ...Object.fromEntries(
    [
      'session_required',
      'too_many_requests',
      'too_busy',
      'unavailable',
      'database_read_only',
      'internal_error',
      'invalid_request',
      'not_found',
      'cross_site',
      'misdirected_request',
      'method_not_allowed',
      'unsupported_media_type',
      'body_too_large',
      'headers_too_large',
      'request_timeout',
    ].map((code) => [code, ['request_refused']]),
  ),
};

describe('explainSignIn', () => {
  const source = join(import.meta.dirname, '..');

  test('explains every problem that a sign-in can answer', () => {
    // What decides a sign-in; a problem of a request before it reaches a rule is of http/, hash/ or db/.
    const files = globSync(
      [
        'identity/{attempt,factor,session,sign-in}/*.ts',
        'identity/password/{login,routes,sign-in-pages}.ts',
        'features/{*,*/sign-in}/*.ts',
        '{http,hash,db}/*.ts',
      ],
      { cwd: source, exclude: ['**/*.test.ts'] },
    );
    const texts = files.map((file) => [file, readFileSync(join(source, file), 'utf8')] as const);
    const asked = texts.filter(
      ([file, text]) =>
        !file.startsWith('features/') ||
        /'\/sessions|signIn\.(?:admit|enter)/.test(text) ||
        /implements SecondFactor/.test(text),
    );
    const codes = new Set(
      asked.flatMap(([, text]) =>
        [...text.matchAll(/new Problem\(\s*'([a-z_]+)'/g)].map(([, code = '']) => code),
      ),
    );
    assert.ok(codes.size > 5);
    assert.deepEqual(
      [...codes].filter((code) => problemsExplained[code] === undefined),
      [],
      'say which findings explain these problems: in "signInProblems" in test/kit.ts of the feature, or in this test',
    );
    const known = new Set<string>(problemCodes());
    assert.deepEqual(
      Object.keys(problemsExplained).filter((code) => !known.has(code)),
      [],
    );
  });

  test('has a remedy for every recorded refusal of a sign-in', () => {
    const refusals = allEvents.filter(({ vocabulary }) => isRefusal(vocabulary));
    assert.ok(refusals.length >= 8);
    assert.deepEqual(
      refusals.filter(({ remedy }) => remedy === undefined).map(({ name }) => name),
      [],
      'add "remedy" to these events: what the user or the operator does about the refusal',
    );
  });

  test('finds the rest of what it can say, each with what to do', () => {
    const account = {
      emailVerifiedAt: 1,
      disabledAt: null,
      deleteAt: null,
      provisionalUntil: null,
      registrations: 0,
      password: 'imported',
      hashFault: undefined,
      hasFactorAsWayIn: false,
      required: ['totp'],
      stored: ['totp', 'passkey'],
      enrollable: undefined,
      mails: [],
    } as const;
    const facts: SignInFacts = {
      now: 10 * dayMs,
      email: 'ada@example.org',
      account,
      counters: [],
      emailConfirmation: true,
      isSignUpOpen: true,
      hasOtherWayIn: false,
    };
    const codes = (changed: Partial<SignInFacts>): readonly FindingCode[] => {
      const findings = explainSignIn({ ...facts, ...changed });
      for (const { means, remedy } of findings)
        for (const text of [means, remedy]) assert.match(text, /\w{3}/);
      return findings.map(({ code }) => code);
    };
    assert.deepEqual(codes({}), [
      'hash_imported',
      'second_factor_required',
      'second_factor_not_offered',
      'nothing_stored',
      'request_refused',
    ]);
    const counter = { factor: 'totp', isOnKnownDevice: false, failures: 100, nextAt: 0 };
    assert.deepEqual(codes({ counters: [counter] }).slice(1, 3), ['locked', 'second_factors_locked']);
    const onDevice = { ...counter, isOnKnownDevice: true };
    assert.ok(codes({ counters: [onDevice] }).includes('second_factor_required'));
    const other = codes({ account: { ...account, password: 'none', hasFactorAsWayIn: true } });
    assert.equal(other[0], 'no_password');
    const pending = { ...account, emailVerifiedAt: null, registrations: 2, provisionalUntil: 11 * dayMs };
    assert.deepEqual(codes({ account: pending }).slice(0, 2), ['unconfirmed', 'registrations_pending']);
    assert.ok(!codes({ account: pending, emailConfirmation: false }).includes('unconfirmed'));
    assert.ok(
      codes({ account: { ...account, required: [], enrollable: [] } }).includes('second_factor_missing'),
    );
  });
});

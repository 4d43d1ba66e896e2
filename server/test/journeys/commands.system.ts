// Runs the commands of the operator, most of them next to a running service: in one process, and some as a program.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Command } from 'commander';
import { after, before, describe, test } from 'node:test';
import type { Environment } from '../../src/config/read-options.ts';
import { minuteMs } from '../../src/kit/clock.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { blocksOf } from '../support/document.ts';
import { patienceMs } from '../support/eventually.ts';
import { memberOf } from '../support/request.ts';
import { CommandHost, runProgram, withoutPlace, type Outcome } from '../support/program.ts';
import { createData, serviceOn, temporaryFolder } from '../support/running-service.ts';
import type { ServiceProcess } from '../support/service.ts';
import { featureCommands } from '../../src/app/open-core.ts';
import { createProgram } from '../../src/cli/cli.ts';
import { lacks } from '../support/feature.ts';

/** The commands that these tests ran, without their varying arguments. */
const ran = new Set<string>();

const host = new CommandHost();
after(() => host.close());

/** Runs a command line. */
function bienvenue(line: string, environment: Environment, input = ''): Promise<Outcome> {
  const words = line.split(' ');
  ran.add(words.slice(0, 2).join(' '));
  return host.run(words, { environment, input });
}

/** Runs a command that succeeds, and returns its JSON. */
async function json(line: string, environment: Environment, input = ''): Promise<unknown> {
  const { code, stdout, stderr } = await bienvenue(`${line} --json`, environment, input);
  assert.deepEqual({ code, stderr: withoutPlace(stderr) }, { code: 0, stderr: '' }, line);
  return JSON.parse(stdout);
}

/** Runs a command that succeeds, and returns its text. */
async function inWords(line: string, environment: Environment, input = ''): Promise<string> {
  const { code, stdout, stderr } = await bienvenue(line, environment, input);
  assert.deepEqual({ code, stderr: withoutPlace(stderr) }, { code: 0, stderr: '' }, line);
  assert.notEqual(stdout.trim(), '');
  return stdout;
}

/** Runs a command that must end with the code, and print its reason on standard error only. */
async function fails(
  line: string,
  environment: Environment,
  code: number,
  says: RegExp,
  input = '',
): Promise<void> {
  const outcome = await bienvenue(line, environment, input);
  assert.deepEqual(
    { code: outcome.code, stdout: outcome.stdout },
    { code, stdout: '' },
    `${line}: ${outcome.stderr}`,
  );
  assert.match(withoutPlace(outcome.stderr), says);
  assert.doesNotMatch(outcome.stderr, /^\s+at .*\.ts:\d+/m, 'a failure has no stack');
}

function emailsOf(users: unknown): unknown[] {
  return (users as unknown[]).map((user) => memberOf(user, 'email')); // what `user list` prints
}

test('keys that sign tokens are listed, rotated and retired', async (t) => {
  const environment = { DATA_DIR: await temporaryFolder(t) };
  const states = (keys: unknown): string[] =>
    (keys as unknown[]).map((key) => `${String(memberOf(key, 'state'))} ${String(memberOf(key, 'alg'))}`);
  const kidOf = (keys: unknown, i: number): string => String(memberOf((keys as unknown[])[i], 'kid'));
  await createData(environment);
  assert.deepEqual(await json('signing-key list', environment), []);
  assert.match(await inWords('signing-key list', environment), /^No signing keys yet\./);
  await fails('signing-key rotate', environment, 1, /^There are no signing keys yet\..*\n$/);
  await fails('signing-key retire --all --now', environment, 1, /^There are no signing keys yet\..*\n$/);

  await createData(environment, async ({ signingKeys }) => void (await signingKeys.published()));
  const first = await json('signing-key list', environment);
  const complete = ['current RS256', 'current ES256', 'next RS256', 'next ES256'];
  assert.deepEqual(states(first), complete);
  assert.match(
    await inWords('signing-key list', environment),
    /\n[\w-]{43} +RS256 +next +20.* UTC +may sign from 20.* UTC\n/,
  );
  await fails('signing-key rotate', environment, 1, /^The next key .* must not sign before 20.*--now/);
  const rotated = await json('signing-key rotate --now', environment);
  assert.equal(kidOf(rotated, 0), kidOf(first, 2));
  assert.deepEqual(states(rotated), [
    ...complete.slice(0, 2),
    'retired RS256',
    'retired ES256',
    ...complete.slice(2),
  ]);

  const kid = kidOf(rotated, 2);
  await fails(`signing-key retire ${kid}`, environment, 2, /--now is required/);
  await fails('signing-key retire --now', environment, 2, /either the id of a key or --all/);
  await fails(`signing-key retire ${kid} --all --now`, environment, 2, /either the id of a key or --all/);
  const words = await inWords(`signing-key retire ${kid} --now`, environment);
  assert.match(words, new RegExp(`^The key ${kid} was removed; services notice within 10 seconds\\.\nID `));
  await fails(`signing-key retire ${kid} --now`, environment, 1, /^No signing key has the id/);
  assert.deepEqual(states(await json('signing-key retire --all --now', environment)), complete);
  const events = (await json('audit list', environment)) as unknown[];
  assert.deepEqual(
    [
      ...new Set(
        events.map((event) => `${String(memberOf(event, 'reason'))} ${String(memberOf(event, 'actor'))}`),
      ),
    ].toSorted(),
    [
      'signing_key_created operator',
      'signing_key_created service',
      'signing_key_retired operator',
      'signing_key_rotated operator',
    ],
  );
});

test('the commands of docs/guides/signing-keys.md do what it says', async (t) => {
  const environment = { DATA_DIR: await temporaryFolder(t) };
  await createData(environment, async ({ signingKeys }) => void (await signingKeys.published()));
  {
    using database = new DatabaseSync(join(environment.DATA_DIR, 'bienvenue.db'));
    database.exec('update signing_keys set state_since = 0');
  }
  const lines = blocksOf('docs/guides/signing-keys.md').flatMap(({ text }) => text.trim().split('\n'));
  assert.equal(lines.length, 4);
  for (const line of lines) {
    const [key] = (await json('signing-key list', environment)) as unknown[];
    const kid = String(memberOf(key, 'kid'));
    const shown = await inWords(line.replace('bienvenue ', '').replace('KID', kid), environment);
    assert.equal(shown.includes(`\n${kid} `), !line.includes('retire'), line);
  }
});

describe('next to a running service', () => {
  let environment: Environment;
  let service: ServiceProcess;
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    const { environment: given, start } = await serviceOn(
      { after: (work) => void ends.push(work) },
      'sqlite',
    );
    environment = given;
    service = await start();
  });
  after(async () => {
    for (const work of ends) await work();
  });

  const logIn = async (email: string, password: string): Promise<{ status: number; cookie: string }> => {
    const reply = await fetch(`${service.baseUrl}/sessions`, {
      method: 'POST',
      body: new URLSearchParams({ email, password }),
    });
    return { status: reply.status, cookie: reply.headers.getSetCookie()[0]?.split(';')[0] ?? '' };
  };
  /** The first waits are too short for a busy machine to see them. */
  const lengthenWaits = (): void => {
    const path = String(environment['DATABASE_URL']).replace('sqlite:', '');
    using database = new DatabaseSync(path, { timeout: patienceMs }); // the service seals its audit log each second
    database.exec(`update attempts set next_at = ${Date.now() + 10 * minuteMs}`);
  };
  const profile = async (cookie: string): Promise<number> =>
    (await fetch(`${service.baseUrl}/profile`, { headers: { cookie } })).status;

  test('user add reads the password from standard input, and list and show print the user', async () => {
    const added = await json('user add ann@example.org', environment, 'b4l0u\n');
    assert.deepEqual([memberOf(added, 'id'), memberOf(added, 'email')], [1, 'ann@example.org']);
    assert.match(
      await inWords('user add bob@example.org', environment, 'b4l0u'),
      /^User 2 added: bob@example\.org\n$/,
    );
    assert.equal(
      (await logIn('ann@example.org', 'b4l0u')).status,
      200,
      'the line end is no part of the password',
    );

    const [all, page, listed, shown, facts] = await Promise.all([
      json('user list', environment),
      json('user list --after 1 --limit 1', environment),
      inWords('user list', environment),
      inWords('user show bob@example.org', environment),
      json('user show ANN@example.org', environment),
    ]);
    assert.deepEqual(emailsOf(all), ['ann@example.org', 'bob@example.org']);
    assert.deepEqual(emailsOf(page), ['bob@example.org']);
    assert.match(listed, /^ID +EMAIL +SINCE.*\n1 +ann@example\.org .*UTC\n2 +bob@example\.org/);
    assert.match(shown, /email +bob@example\.org/);
    assert.deepEqual([memberOf(facts, 'id'), memberOf(facts, 'sessions')], [1, 1]);
    const set = await json(
      'user set ann@example.org --name Ann --external-id crm-7 --metadata {"plan":"pro"} --private-metadata -',
      environment,
      '{"note":"x"}',
    );
    const found = await json('user show --external-id crm-7', environment);
    for (const each of [set, found])
      assert.deepEqual(
        ['email', 'name', 'external_id', 'metadata', 'private_metadata'].map((name) => memberOf(each, name)),
        ['ann@example.org', 'Ann', 'crm-7', { plan: 'pro' }, { note: 'x' }],
      );
    const subject = String(memberOf(found, 'subject'));
    assert.deepEqual(await json(`user show --subject ${subject}`, environment), found);
    assert.match(
      await inWords('user set bob@example.org --name Bob', environment),
      /^bob@example.org was changed/,
    );
    await fails(
      'user set bob@example.org --external-id crm-7',
      environment,
      1,
      /^Another user has this external id/,
    );
    await fails('user show --external-id crm-8', environment, 1, /^No user has the external id crm-8/);
    for (const [line, says] of [
      ['user set bob@example.org', /^Give at least one option/],
      ['user set bob@example.org --metadata [1]', /^metadata is not a JSON object/],
      ['user set bob@example.org --metadata {', /^--metadata must be a JSON object/],
      [
        `user set bob@example.org --metadata {"x":"${'x'.repeat(8192)}"}`,
        /^metadata is longer than 8192 bytes/,
      ],
      ['user set bob@example.org --name Bob\u202Eevil', /^name contains a character that is not allowed/],
      ['user set bob@example.org --picture http://example.org/a', /^picture is not an https URL/],
      ['user show', /^Give an email address, --external-id or --subject/],
      ['user show bob@example.org --external-id crm-7', /^Give an email address, --external-id or --subject/],
    ] as const)
      await fails(line, environment, 2, says);
    assert.deepEqual(await json('user factors ann@example.org', environment), {
      email: 'ann@example.org',
      factors: [],
    });
    assert.match(String(memberOf(facts, 'last_sign_in_at')), /^20/);
    assert.deepEqual(
      [memberOf(facts, 'email_verified_at'), memberOf(facts, 'locked'), memberOf(facts, 'factors')],
      [null, [], []],
    );
    assert.match(shown, /last_sign_in_at +-\n/);
    for (const output of [JSON.stringify(all), JSON.stringify(facts), listed, shown])
      assert.doesNotMatch(output, /argon2|hash/i);
  });

  test('empty standard input is refused by each option that reads it, and removes nothing', async () => {
    const program = await createProgram({ environment: {} });
    const reading = program.commands
      .flatMap((command) => command.commands)
      .flatMap((command) =>
        command.options
          .filter(({ description }) => /^.*- reads .*standard input/.test(description))
          .map(({ long }) => [`${command.parent?.name()} ${command.name()}`, long] as const),
      );
    assert.deepEqual(reading, [['user set', '--private-metadata']]);
    for (const [name, option] of reading)
      for (const input of ['', ' \n'])
        await fails(`${name} ann@example.org ${option} -`, environment, 2, /^Standard input is empty/, input);
    const kept = await json('user show ann@example.org', environment);
    assert.deepEqual(memberOf(kept, 'private_metadata'), { note: 'x' });
  });

  test('user why explains, unlock forgets attempts, and confirm and add --confirmed mark an address', async () => {
    const email = 'will@example.org';
    const added = await json(`user add ${email} --confirmed`, environment, 'b4l0u');
    assert.match(String(memberOf(added, 'email_verified_at')), /^20/);
    for (let i = 0; i < 6; i += 1) await logIn(email, 'wrong');
    lengthenWaits();
    const why = await json(`user why ${email}`, environment);
    assert.equal(memberOf((memberOf(why, 'findings') as object[])[0], 'code'), 'paused');
    assert.match(
      await inWords(`user why ${email}`, environment),
      /^Not with the password \(paused\): .*\n  What to do: Wait, or: bienvenue user unlock will@example\.org\n[^]*LAST REFUSALS[^]*wrong_password/,
    );
    assert.match(await inWords(`user show ${email}`, environment), /locked +password until 20/);
    assert.match(await inWords(`user unlock ${email}`, environment), /were forgotten/);
    assert.match(await inWords(`user unlock ${email}`, environment), /has no failed attempts/);
    assert.equal((await logIn(email, 'b4l0u')).status, 200);
    assert.match(
      await inWords('user why nobody@example.org', environment),
      /^No sign-in \(unknown_address\)/,
    );

    await fails(`user confirm ${email}`, environment, 1, /is confirmed already/);
    await inWords('user add walt@example.org', environment, 'b4l0u');
    await inWords('user disable walt@example.org', environment);
    await fails('user confirm walt@example.org', environment, 1, /user enable walt@example\.org/);
    await inWords('user enable walt@example.org', environment);
    assert.match(
      await inWords('user confirm walt@example.org', environment),
      /^walt@example\.org is confirmed\n$/,
    );
    const events = (await json('audit list', environment)) as object[];
    for (const reason of ['attempts_reset', 'email_marked_verified'])
      assert.equal(
        memberOf(
          events.find((event) => memberOf(event, 'reason') === reason),
          'actor',
        ),
        'operator',
      );
    for (const each of [email, 'walt@example.org']) await inWords(`user remove ${each}`, environment);
  });

  test('user confirm says what the account opens with, as an attacker may have registered it', async (t) => {
    const confirming = {
      DATA_DIR: await temporaryFolder(t),
      EMAIL_CONFIRMATION: 'true',
      SMTP_URL: 'smtp://127.0.0.1:1',
      MAIL_FROM: 'accounts@example.org',
    };
    await createData(confirming, async ({ accounts }) => {
      await accounts.signUp(requireEmailAddress('eve@example.org'), { password: 'b4l0u' }, { actor: 'user' });
    });
    assert.match(
      await inWords('user confirm eve@example.org', confirming),
      /only registration chose\. If that was not the user, run bienvenue user remove eve@example\.org/,
    );
  });

  test('a command that fails ends with code 1, and wrong usage with code 2', async () => {
    await Promise.all([
      fails('user add ann@example.org', environment, 1, /^User ann@example\.org already exists$/m, 'b4l0u'),
      fails(
        'user show nobody@example.org',
        environment,
        1,
        /^No user has the email address nobody@example\.org$/m,
      ),
      fails('user reset-factors ann@example.org', environment, 1, /has no second factor/),
      fails('session end 01234567-89ab-7def-8123-456789abcdef', environment, 1, /No session has the id/),
    ]);
    await Promise.all([
      fails('user add', environment, 2, /missing required argument 'email'/),
      fails('user list --limit many', environment, 2, /whole number/),
      fails('dance', environment, 2, /unknown command 'dance'/),
      fails('session end', environment, 2, /--user/),
      fails('user add nonsense', environment, 2, /email address/, 'b4l0u'),
      fails('user add carl@example.org', environment, 2, /password is empty/, '\n'),
      fails('audit list --event nonsense', environment, 2, /The names are authn_login_success, /),
      fails('audit list --event user_create', environment, 2, /Did you mean user_created\?/),
    ]);
    assert.equal(((await json('user list', environment)) as unknown[]).length, 2);
  });

  test('each command with an email address answers a malformed one with code 2', async () => {
    const program = await createProgram({ environment: {} });
    const all = program.commands.flatMap((command) => [command, ...command.commands]);
    const lines = all.flatMap((command) => {
      const name =
        command.parent === program ? command.name() : `${command.parent?.name()} ${command.name()}`;
      const more = name === 'user set' ? ' --name Ann' : '';
      const asArgument = command.registeredArguments.some((each) => each.name() === 'email');
      const asOption = command.options.filter(({ flags }) => /<(?:email|address)>/.test(flags));
      return [
        ...(asArgument ? [`${name} nonsense${more}`] : []),
        ...asOption.map(({ long }) => `${name} ${long} nonsense`),
      ];
    });
    assert.ok(lines.length > 10);
    for (const line of lines) await fails(line, environment, 2, /valid email address/, 'b4l0u');
  });

  test('user why does not advise to register where sign-up is closed', async () => {
    const advice = await inWords('user why nobody@example.org', { ...environment, SIGN_UP: 'closed' });
    assert.match(advice, /Sign-up is closed: you add the account/);
    assert.doesNotMatch(advice, /registers/);
  });

  test('the running service notices at its next request: session end', async () => {
    const [first, second] = [
      await logIn('ann@example.org', 'b4l0u'),
      await logIn('ann@example.org', 'b4l0u'),
    ];
    const sessions = (await json('session list --user ann@example.org', environment)) as {
      id: string;
      email: string;
    }[];
    const id = sessions.map((session) => session.id).find((one) => first.cookie.includes(one)) ?? '';
    assert.deepEqual(new Set(sessions.map(({ email }) => email)), new Set(['ann@example.org']));
    assert.doesNotMatch(JSON.stringify(sessions), /secret|ses_/);
    assert.match(
      await inWords('session list --limit 1', environment),
      /^ID +EMAIL .*\n.*ann@example\.org.*\n$/,
    );

    assert.deepEqual(await json(`session end ${id}`, environment), { id });
    assert.deepEqual([await profile(first.cookie), await profile(second.cookie)], [403, 200]);
    assert.match(await inWords('session end --user ann@example.org', environment), /ann@example\.org/);
    assert.equal(await profile(second.cookie), 403);
  });

  test('the running service notices at its next request: set-password', async () => {
    const { cookie } = await logIn('ann@example.org', 'b4l0u');
    const body = new URLSearchParams({ email: 'ann@example.org' });
    const token = memberOf(
      await (await fetch(`${service.baseUrl}/reset_password`, { method: 'POST', body })).json(),
      'reset_token',
    );
    assert.equal(memberOf(await json('user set-password ann@example.org', environment, 'second'), 'id'), 1);
    assert.equal(await profile(cookie), 403);
    assert.deepEqual(
      [(await logIn('ann@example.org', 'b4l0u')).status, (await logIn('ann@example.org', 'second')).status],
      [401, 200],
    );
    const put = new URLSearchParams({
      email: 'ann@example.org',
      reset_token: String(token),
      new_password: 'x',
    });
    assert.equal(
      (await fetch(`${service.baseUrl}/reset_password`, { method: 'PUT', body: put })).status,
      403,
      'pending tokens are void',
    );
  });

  test('user show prints the closing date of an account, and user enable reopens it', async (t) => {
    if (lacks(t, 'account-deletion')) return;
    const email = 'dora@example.org';
    await bienvenue(`user add ${email}`, environment, 'b4l0u\n');
    const { cookie } = await logIn(email, 'b4l0u');
    const close = await fetch(`${service.baseUrl}/profile`, { method: 'DELETE', headers: { cookie } });
    const deleteAt = memberOf(await close.json(), 'delete_at');
    assert.match(String(deleteAt), /^20/);
    assert.equal(memberOf(await json(`user show ${email}`, environment), 'delete_at'), deleteAt);
    await inWords(`user enable ${email}`, environment);
    assert.equal(memberOf(await json(`user show ${email}`, environment), 'delete_at'), null);
    assert.equal((await logIn(email, 'b4l0u')).status, 200);
    await inWords(`user remove ${email}`, environment);
  });

  test('the running service notices at its next request: disable, enable and remove', async () => {
    const { cookie } = await logIn('bob@example.org', 'b4l0u');
    assert.equal(
      memberOf(await json('user disable bob@example.org', environment), 'email'),
      'bob@example.org',
    );
    assert.deepEqual([await profile(cookie), (await logIn('bob@example.org', 'b4l0u')).status], [403, 401]);
    await inWords('user enable bob@example.org', environment);
    const again = await logIn('bob@example.org', 'b4l0u');
    assert.equal(await profile(again.cookie), 200);
    assert.match(
      await inWords('user remove bob@example.org', environment),
      /^User 2 removed: bob@example\.org\n$/,
    );
    assert.deepEqual(
      [await profile(again.cookie), (await logIn('bob@example.org', 'b4l0u')).status],
      [403, 401],
    );
    const next = await json('user add bob@example.org', environment, 'b4l0u');
    assert.ok(Number(memberOf(next, 'id')) > 2, 'an id is never given twice');
  });

  test('audit, mail and key commands print tables and JSON', async () => {
    const [events, listed, verdict, verified, mails, mailsInWords] = await Promise.all([
      json('audit list', environment),
      inWords('audit list --limit 3', environment),
      json('audit verify', environment),
      inWords('audit verify', environment),
      json('mail list', environment),
      inWords('mail list', environment),
    ]);
    assert.ok((events as unknown[]).length > 5);
    assert.equal(listed.trimEnd().split('\n').length, 4);
    assert.match(listed, /^AT +EVENT +OUTCOME +REASON +FACTS +BY +USER +TARGET +ADDRESS/);
    const ended = (events as object[]).find((event) => memberOf(event, 'reason') === 'all_sessions_ended');
    assert.deepEqual([memberOf(ended, 'actor'), memberOf(ended, 'facts')], ['operator', { count: 2 }]);
    assert.deepEqual(memberOf(verdict, 'faults'), []);
    assert.match(verified, /none was changed/);
    assert.deepEqual(
      (mails as unknown[]).map((mail) => memberOf(mail, 'kind')),
      ['password_changed', 'reset_password', 'already_registered'],
    );
    assert.match(mailsInWords, /^ID /);
    await fails('mail retry 01234567-89ab-7def-8123-456789abcdef', environment, 1, /No waiting email/);

    const [before_] = (await json('key list', environment)) as { id: unknown; current: boolean }[];
    const rotated = await json('key rotate', environment);
    assert.match(await inWords('key rotate', environment), /is now the current key/);
    const keys = (await json('key list', environment)) as { id: unknown; current: boolean }[];
    assert.deepEqual(
      keys.slice(1).map(({ id }) => id),
      [memberOf(rotated, 'id'), before_?.id],
    );
    assert.match(await inWords('key list', environment), /current/);
    const resealed = (await json('key reseal', environment)) as { rows: number; left: number }[];
    assert.ok(resealed.some(({ rows }) => rows > 0)); // mails that wait were written under the first key
    assert.ok(resealed.every(({ left }) => left === 0));
    assert.match(await inWords('key reseal', environment), /mails\.content +0 +0/);
  });

  test('migrate reports that nothing is to be done, and doctor that everything is in order', async () => {
    const [migrated, words] = await Promise.all([
      json('migrate', environment),
      inWords('migrate', environment),
    ]);
    assert.deepEqual(memberOf(migrated, 'steps'), []);
    assert.match(words, /already up to date/);
    const port = { PORT: new URL(service.baseUrl).port };
    const [findings, table] = await Promise.all([
      json('doctor', { ...environment, ...port }),
      inWords('doctor', { ...environment, ...port }),
    ]);
    assert.deepEqual(
      (findings as { verdict: string }[]).filter(({ verdict }) => verdict === 'fault'),
      [],
    );
    assert.match(table, /a service is running there/);
  });
});

describe('config', () => {
  test('shows the effective options and their sources, and hides the password of PostgreSQL', async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, 'bienvenue.toml');
    writeFileSync(file, 'SESSION_DAYS = 3\nSESSION_IDLE_DAYS = 2\n');
    const environment = {
      DATABASE_URL: 'postgres://bienvenue:hunter2@db.example.org/accounts',
      BIENVENUE_CONFIG: file,
      PORT: '5001',
    };
    const [printed, words] = await Promise.all([json('config', environment), inWords('config', environment)]);
    const rows = memberOf(printed, 'options') as { name: string; value: string; source: string }[];
    const row = (name: string): unknown => rows.find((one) => one.name === name);
    assert.equal(memberOf(printed, 'mode'), 'local');
    assert.deepEqual(row('PORT'), { name: 'PORT', value: '5001', source: 'environment' });
    assert.deepEqual(row('SESSION_DAYS'), { name: 'SESSION_DAYS', value: '3', source: 'file' });
    assert.deepEqual(row('HOST'), { name: 'HOST', value: 'localhost', source: 'default' });
    for (const text of [JSON.stringify(printed), words]) {
      assert.ok(text.includes('db.example.org/accounts'));
      assert.ok(!text.includes('hunter2'));
    }
  });

  test('warns about misspelled names on standard error', async () => {
    const { code, stderr, stdout } = await bienvenue('config --json', { SIGNUP: 'closed' });
    assert.deepEqual(
      [code, stderr],
      [0, 'SIGNUP is not an option and has no effect. Did you mean SIGN_UP?\n'],
    );
    assert.doesNotThrow(() => JSON.parse(stdout));
  });

  test('every command reports all invalid options together', async () => {
    const environment = {
      PORT: 'many',
      SESSION_DAYS: '0',
      DATABASE_URL: 'mysql://x',
      HOST: '0.0.0.0',
      HASH_PASSES: '1',
    };
    const all = new RegExp(
      Object.keys(environment)
        .map((name) => `(?=.*^  - ${name} )`)
        .join(''),
      'ms',
    );
    await Promise.all(
      ['config', 'serve', 'migrate', 'user list'].map((line) => fails(line, environment, 2, all)),
    );
    const { code, stdout } = await bienvenue('doctor --json', environment);
    assert.equal(code, 1);
    const says = (JSON.parse(stdout) as { says: string }[]).map((finding) => finding.says.split(' ')[0]);
    assert.deepEqual(new Set(says), new Set(Object.keys(environment)));
  });
});

describe('doctor finds', () => {
  interface Finding {
    readonly about: string;
    readonly verdict: string;
    readonly says: string;
  }
  const examine = async (environment: Environment): Promise<{ code: number | null; findings: Finding[] }> => {
    const { code, stdout } = await bienvenue('doctor --json', { PORT: '0', ...environment });
    return { code, findings: JSON.parse(stdout) as Finding[] };
  };
  const found = ({ findings }: { findings: Finding[] }, verdict: string): Finding[] =>
    findings.filter((finding) => finding.verdict === verdict);
  const faultsOf = (result: { findings: Finding[] }): string =>
    found(result, 'fault')
      .map(({ says }) => says)
      .join('\n');

  test('a file that others can read', async (t) => {
    const environment = { DATA_DIR: await temporaryFolder(t) };
    await createData(environment);
    const file = join(environment.DATA_DIR, 'bienvenue.db');
    chmodSync(file, 0o644);
    const { code, findings } = await examine(environment);
    assert.equal(code, 0, 'it works, but should not stay so');
    assert.deepEqual(
      found({ findings }, 'unsafe').map(({ about }) => about),
      ['files'],
    );
    assert.ok(found({ findings }, 'unsafe')[0]?.says.includes(file));
    chmodSync(file, 0o600);
    assert.deepEqual(found(await examine(environment), 'unsafe'), []);
  });

  test('a brand color that cannot be read as it is, which is no fault', async (t) => {
    const environment = { DATA_DIR: await temporaryFolder(t) };
    const { code, findings } = await examine({ ...environment, PRODUCT_COLOR: '#ffd400' });
    assert.equal(code, 0);
    const about = findings.filter((finding) => finding.about === 'brand');
    assert.match(
      about[0]?.says ?? '',
      /^PRODUCT_COLOR #ffd400 is too close to the light ground: .*links are #/,
    );
    assert.deepEqual(
      (await examine(environment)).findings.filter((finding) => finding.about === 'brand'),
      [],
    );
  });

  test('an IP address as PUBLIC_URL, at which passkeys do not work', async (t) => {
    const environment = {
      DATA_DIR: await temporaryFolder(t),
      SMTP_URL: 'smtp://127.0.0.1:1',
      MAIL_FROM: 'a@example.org',
    };
    const words = async (url: string): Promise<string> =>
      found(await examine({ ...environment, PUBLIC_URL: url }), 'unsafe')
        .map(({ says }) => says)
        .join();
    for (const address of ['192.0.2.1', '[2001:db8::1]'])
      assert.match(
        await words(`https://${address}`),
        /WebAuthn does not work\. Set PUBLIC_URL to a domain name/,
      );
    for (const url of ['https://example.org', 'http://127.0.0.1:5000'])
      assert.doesNotMatch(await words(url), /WebAuthn/);
  });

  test('a file that is no database, and leaves it alone', async (t) => {
    const environment = { DATA_DIR: await temporaryFolder(t) };
    const file = join(environment.DATA_DIR, 'bienvenue.db');
    writeFileSync(file, 'a letter to my grandmother', { mode: 0o600 });
    const result = await examine(environment);
    assert.equal(result.code, 1);
    assert.match(faultsOf(result), /is not a SQLite database/);
    assert.equal(readFileSync(file, 'utf8'), 'a letter to my grandmother');
  });

  test('a schema of a newer release, which no other command changes either', async (t) => {
    const environment = { DATA_DIR: await temporaryFolder(t) };
    await createData(environment);
    {
      using database = new DatabaseSync(join(environment.DATA_DIR, 'bienvenue.db'));
      database.exec("update schema_versions set version = 999 where module = 'session'");
    }
    const result = await examine(environment);
    assert.equal(result.code, 1);
    assert.match(faultsOf(result), /session has version 999/);
    await Promise.all(
      ['serve', 'migrate', 'user list'].map((line) =>
        fails(
          line,
          { ...environment, PORT: '0' },
          1,
          /version 999 of the schema of "session".*newer release/,
        ),
      ),
    );
  });

  test('a PostgreSQL that does not answer', async () => {
    const result = await examine({ DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none' });
    assert.equal(result.code, 1);
    assert.equal(found(result, 'fault')[0]?.about, 'database');
    assert.doesNotMatch(JSON.stringify(result), /hunter2/);
  });

  test('a signing key that cannot be decrypted, with what to do', async (t) => {
    const environment = { DATA_DIR: await temporaryFolder(t) };
    await createData(environment, async ({ signingKeys }) => void (await signingKeys.published()));
    const sound = await examine(environment);
    assert.ok(
      found(sound, 'ok').some(({ about, says }) => about === 'signing keys' && says.startsWith('all 4 ')),
    );
    {
      using database = new DatabaseSync(join(environment.DATA_DIR, 'bienvenue.db'));
      database.exec(
        "update signing_keys set private_jwk = 'v1.x.y' where alg = 'ES256' and state = 'current'",
      );
    }
    const result = await examine(environment);
    const faults = found(result, 'fault');
    assert.deepEqual([result.code, faults.map(({ about }) => about)], [1, ['signing keys']]);
    assert.match(
      faults[0]?.says ?? '',
      /^The signing key [\w-]{43} \(ES256, current\) cannot be decrypted\..*retire [\w-]{43} --now/,
    );
  });

  test('keys that are not those of the database', async (t) => {
    const environment = { DATA_DIR: await temporaryFolder(t) };
    await createData(environment);
    rmSync(join(environment.DATA_DIR, 'secret.key'));
    const result = await examine({
      ...environment,
      SECRET_KEY: 'another key that somebody wrote here, of enough characters',
    });
    assert.equal(result.code, 1, JSON.stringify(result));
  });
});

test('every command was run above, and prints JSON', async () => {
  const program = await createProgram({ environment: {} });
  const all = program.commands.flatMap((command) =>
    command.commands.length === 0 ? [command] : command.commands,
  );
  const ofFeatures = featureCommands.map(({ name }) => name); // their tests are in the folders of the features
  const nameOf = (command: Command): string =>
    command.parent === program ? command.name() : `${command.parent?.name()} ${command.name()}`;
  assert.ok(all.length > 10);
  const untested = all
    .map(nameOf)
    .filter((name) => !ofFeatures.includes(name.split(' ', 1)[0] ?? ''))
    .filter((name) => ![...ran].some((line) => line === name || line.startsWith(`${name} `)));
  assert.deepEqual(untested, []);
  const wordy = all.filter(({ options }) => !options.some(({ long }) => long === '--json')).map(nameOf);
  assert.deepEqual(wordy, ['serve']);
});

test('the program reads its environment and standard input, and ends with an exit code and nothing left behind', async (t) => {
  const environment = { DATA_DIR: await temporaryFolder(t) };
  await createData(environment);
  const database = `Database: ${join(environment.DATA_DIR, 'bienvenue.db')}\n`;
  const added = await runProgram(['user', 'add', 'ann@example.org'], { environment, input: 'b4l0u\n' });
  assert.deepEqual(added, { code: 0, stdout: 'User 1 added: ann@example.org\n', stderr: database });
  const again = await runProgram(['user', 'add', 'ann@example.org'], { environment, input: 'b4l0u\n' });
  assert.deepEqual([again.code, again.stdout], [1, '']);
  assert.equal(again.stderr, `${database}User ann@example.org already exists\n`);
  const wrong = await runProgram(['user', 'ad'], { environment });
  assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
});

test('help and the version end with code 0', async () => {
  const [help, { version }] = [
    await inWords('--help', {}),
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string },
  ];
  assert.match(help, /^Usage: bienvenue .*\n {2}serve .*\n {2}user /s);
  assert.equal(await inWords('--version', {}), `${version}\n`);
});

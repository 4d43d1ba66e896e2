// Runs whole lives of accounts with recognizable secrets and then searches everywhere: no password, token or key of the
// service appears in the log, the database, a file, an error reply, or the output of the operator's commands. Only the
// sent mails contain their tokens.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { createToken } from '../../src/kit/secret.ts';
import { verificationKind } from '../../src/identity/account/verification.ts';
import { resetKind } from '../../src/identity/password/reset.ts';
import type { Environment } from '../../src/config/read-options.ts';
import { everythingIn } from '../support/contents.ts';
import { engineNames, type EngineName } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { tokenIn } from '../support/mail-box.ts';
import { startMailCatcher, type MailCatcher } from '../support/mail-catcher.ts';
import { CommandHost, runProgram } from '../support/program.ts';
import { serviceOn } from '../support/running-service.ts';
import type { ServiceProcess } from '../support/service.ts';

const host = new CommandHost();
after(() => host.close());

let made = 0;
/** A password that does not occur anywhere by chance. */
function canary(what: string): string {
  made += 1;
  return `CANARY${made}-${what}-${crypto.randomUUID()}`;
}

const keyFile = 'secret.key';

const email = 'canary@example.org';
const allCommands: readonly string[] = [
  'config --json',
  'user list --json',
  `user show ${email}`,
  'session list --json',
  'audit list --json --limit 1000',
  'audit verify',
  'mail list --json',
  'doctor',
];
/** Commands that show events. Each command is a process of its own, which takes time to start. */
const fewCommands: readonly string[] = ['session list --json', 'audit list --json --limit 1000'];

/** Secrets that must not appear, and everything that was searched. */
class Watch {
  readonly #secrets = new Set<string>();
  readonly #seen: { where: string; text: string }[] = [];

  /** Registers a secret. What was recorded earlier is searched for it as well. */
  keep(secret: string): string {
    assert.ok(secret.length > 10);
    this.#secrets.add(secret);
    return secret;
  }

  see(where: string, text: string): void {
    this.#seen.push({ where, text });
  }

  /** @returns where a secret was seen, in any of the forms that it may take. */
  leaks(): string[] {
    return [...this.#secrets].flatMap((secret) => {
      // Forms of a token: whole, the part that is digested, and its random bytes.
      const [, digested, random] = /^[0-9a-f-]{36}\.([a-z]{3}_(.{43}))$/.exec(secret) ?? [];
      const parts = [secret, digested, random].filter((part) => part !== undefined);
      const forms = parts.flatMap((part) => [
        part,
        encodeURIComponent(part),
        JSON.stringify(part).slice(1, -1),
        Buffer.from(part).toString('hex'),
        Buffer.from(part).toString('base64').replace(/=+$/, ''),
        Buffer.from(part, 'base64url').toString('hex'),
      ]);
      return this.#seen
        .filter(({ text }) => forms.some((form) => form.length > 10 && text.includes(form)))
        .map(({ where }) => `${secret} in ${where}`);
    });
  }

  /** Places that were searched. */
  get places(): readonly string[] {
    return this.#seen.map(({ where }) => where);
  }
}

interface Asked {
  readonly status: number;
  readonly text: string;
  readonly cookies: readonly string[];
}

/** A service whose output is recorded. */
class Stage {
  readonly watch = new Watch();
  readonly environment: Environment;
  readonly #process: ServiceProcess;

  constructor(environment: Environment, process: ServiceProcess) {
    this.environment = environment;
    this.#process = process;
  }

  /** Lines of its log. */
  get lines(): readonly string[] {
    return this.#process.lines;
  }

  async ask(path: string, init: RequestInit): Promise<Asked> {
    const headers = new Headers(init.headers);
    headers.set('connection', 'close'); // a kept connection may end just as it is used again
    const reply = await fetch(this.#process.baseUrl + path, { redirect: 'manual', ...init, headers });
    const text = await reply.text();
    const cookies = reply.headers.getSetCookie();
    for (const cookie of cookies) {
      const value = /^[^=]+=([^;]+)/.exec(cookie)?.[1];
      if (value !== undefined) this.watch.keep(value);
    }
    if (reply.status >= 400)
      this.watch.see(
        `the refusal of ${init.method ?? 'GET'} ${path}`,
        `${text} ${[...reply.headers].join(' ')}`,
      );
    return { status: reply.status, text, cookies };
  }

  send(
    method: string,
    path: string,
    fields: Record<string, string>,
    cookies: readonly string[] = [],
  ): Promise<Asked> {
    const cookie = cookies.map((one) => one.split(';')[0]).join('; ');
    return this.ask(path, { method, body: new URLSearchParams(fields), headers: { cookie } });
  }

  /** The current contents of the database and of the data folder. */
  async seeStored(when: string): Promise<void> {
    this.watch.see(`the database ${when}`, await everythingIn(this.environment['DATABASE_URL'] ?? ''));
    const folder = this.environment['DATA_DIR'] ?? '';
    for (const file of await readdir(folder)) {
      const text = await readFile(join(folder, file), 'latin1');
      if (file === keyFile)
        for (const key of text
          .trim()
          .split(/\s+/)
          .filter((word) => word.length > 40))
          this.watch.keep(key);
      else this.watch.see(`${file} ${when}`, text);
    }
  }

  /** Output of the operator's commands. */
  async seeCommands(commands: readonly string[]): Promise<void> {
    for (const command of commands) {
      const { stdout, stderr } = await host.run(command.split(' '), { environment: this.environment });
      assert.ok(stdout.length > 0, `${command}: ${stderr}`);
      this.watch.see(`bienvenue ${command}`, stdout + stderr);
    }
  }

  /** Everything that can fail while secrets are in use. */
  async refuse(cookies: readonly string[]): Promise<void> {
    const { watch } = this;
    const wrong = watch.keep(canary('wrong-password'));
    for (const token of [
      watch.keep(createToken(resetKind).token),
      watch.keep(createToken(verificationKind).token),
    ]) {
      await this.send('PUT', '/reset_password', { email, reset_token: token, new_password: wrong });
      await this.send('PUT', '/email_verification', { email, token });
      await this.ask(`/reset_password?reset_token=${token}&password=${wrong}`, {});
      await this.ask('/profile', {
        headers: { cookie: `session_id=${token}`, authorization: `Bearer ${token}` },
      });
    }
    await this.send('POST', '/sessions', { email, password: wrong }, cookies);
    await this.send('POST', '/sessions', { email: wrong, password: email });
    await this.send('POST', '/sessions', { email: `${wrong}@example.org`, password: 'x' });
    await this.send('POST', '/users', { email: 'nobody', password: wrong });
    await this.send('POST', '/users', { password: wrong });
    const headers = { 'content-type': 'application/json' };
    for (const body of [
      `{"email":"${email}","password":"${wrong}"`,
      JSON.stringify({ email, password: [wrong] }),
      `{"__proto__":"${wrong}"}`,
    ]) {
      await this.ask('/sessions', { method: 'POST', headers, body });
    }
    await this.ask('/sessions', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: wrong });
    await this.ask('/sessions', {
      method: 'POST',
      headers,
      body: JSON.stringify({ email, password: wrong.repeat(1000) }),
    });
    await this.ask('/sessions', {
      method: 'PATCH',
      headers,
      body: JSON.stringify({ email, password: wrong }),
    });
    await this.ask('/profile', { headers: { cookie: `session_id=${wrong}; __Host-session_id=${wrong}` } });
    await this.ask('/users', {
      method: 'POST',
      headers: { origin: 'https://evil.test' },
      body: new URLSearchParams({ email, password: wrong }),
    });
    for (let i = 0; i < 7; i += 1) await this.send('POST', '/sessions', { email, password: wrong });
  }

  async end(): Promise<void> {
    await this.#process.stop();
    this.watch.see('the log', this.#process.lines.join('\n'));
  }
}

/** A recorded service and a mail catcher that can be made to refuse mail for a while. */
async function setStage(t: TestContext, engine: EngineName, own: Environment): Promise<Stage> {
  const running = await serviceOn(t, engine);
  const environment = { ...running.environment, SECRET_KEY: '', ...own };
  return new Stage(environment, await running.start({ LOG_LEVEL: 'debug', ...environment }));
}

function assertNoLeak({ watch }: Stage): void {
  assert.deepEqual(watch.leaks(), []);
  for (const place of [
    'the log',
    'the database at the end',
    ...fewCommands.map((command) => `bienvenue ${command}`),
  ]) {
    assert.ok(watch.places.includes(place), `${place} was searched`);
  }
  assert.ok(watch.places.filter((place) => place.startsWith('the refusal')).length > 20);
}

for (const engine of engineNames) {
  test(`in public mode no secret appears anywhere (${engine})`, async (t) => {
    let isDown = false;
    const catcher: MailCatcher = await startMailCatcher({
      authOptional: false,
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: ({ username }, _session, done) => done(null, { user: username ?? '' }),
      onRcptTo: (_address, _session, done) =>
        done(isDown ? Object.assign(new Error('try later'), { responseCode: 451 }) : null),
    });
    t.after(() => catcher.close());
    const smtpPassword = canary('smtp');
    const stage = await setStage(t, engine, {
      PUBLIC_URL: 'https://accounts.test',
      SMTP_URL: catcher.url.replace('//', `//mailer:${smtpPassword}@`),
      MAIL_FROM: 'accounts@accounts.test',
    });
    const { watch } = stage;
    watch.keep(smtpPassword);
    const first = watch.keep(canary('first-password'));
    const second = watch.keep(canary('second-password'));
    const tokenAbout = (subject: RegExp): Promise<string> =>
      eventually(`a mail about ${subject}`, () =>
        tokenIn(
          catcher.mails.findLast(({ parsed }) => subject.test(parsed.subject ?? ''))?.parsed.text ?? '',
        ),
      );

    assert.equal((await stage.send('POST', '/users', { email, password: first })).status, 200);
    await stage.seeStored('after a registration');
    const verification = watch.keep(await tokenAbout(/Confirm/));
    assert.equal(
      (await stage.send('PUT', '/email_verification', { email, token: verification, password: first }))
        .status,
      200,
    );
    const login = await stage.send('POST', '/sessions', { email, password: first });
    assert.equal(login.cookies.length, 2, login.text);
    await stage.refuse(login.cookies);

    // A waiting mail contains a live token, which this test does not know before the mail is sent.
    isDown = true;
    assert.equal((await stage.send('POST', '/reset_password', { email })).status, 200);
    const waiting = await eventually('the failure of a mail', () =>
      stage.lines.find((line) => line.includes('An email could not be delivered; it will be retried')),
    );
    const { mail } = JSON.parse(waiting) as { mail: string }; // the log line of the outbox
    await stage.seeStored('while a mail waits');
    if (engine === 'sqlite') await stage.seeCommands(allCommands);
    isDown = false;
    await host.run(['mail', 'retry', mail], { environment: stage.environment });
    const reset = watch.keep(await tokenAbout(/Reset your password/));
    assert.equal(
      (await stage.send('PUT', '/reset_password', { email, reset_token: reset, new_password: second }))
        .status,
      200,
    );
    await stage.send('PUT', '/reset_password', { email, reset_token: reset, new_password: second });
    const again = await stage.send('POST', '/sessions', { email, password: second });
    assert.equal(again.status, 200);
    await stage.send('DELETE', '/sessions', {}, again.cookies);
    assert.equal((await stage.send('POST', '/sessions', { email, password: second })).status, 200);

    await stage.seeCommands(fewCommands);
    await stage.end();
    await stage.seeStored('at the end');
    assertNoLeak(stage);
  });
}

test('in local mode no secret appears anywhere', async (t) => {
  const stage = await setStage(t, 'sqlite', {});
  const { watch } = stage;
  const first = watch.keep(canary('first-password'));
  const second = watch.keep(canary('second-password'));
  assert.equal((await stage.send('POST', '/users', { email, password: first })).status, 200);
  assert.equal((await stage.send('POST', '/users', { email, password: first })).status, 400);
  const login = await stage.send('POST', '/sessions', { email, password: first });
  assert.equal(login.cookies.length, 1, login.text);
  await stage.refuse(login.cookies);
  const asked = await stage.send('POST', '/reset_password', { email });
  const { reset_token: reset } = JSON.parse(asked.text) as { reset_token: string };
  watch.keep(reset);
  await stage.seeStored('with a live token');
  assert.equal(
    (await stage.send('PUT', '/reset_password', { email, reset_token: reset, new_password: second })).status,
    200,
  );
  await stage.send('PUT', '/reset_password', { email, reset_token: reset, new_password: second });
  assert.equal((await stage.send('POST', '/sessions', { email, password: second })).status, 200);
  const third = watch.keep(canary('third-password'));
  const set = await host.run(['user', 'set-password', email], {
    environment: stage.environment,
    input: `${third}\n`,
  });
  assert.equal(set.code, 0, set.stderr);
  watch.see('bienvenue user set-password', set.stdout + set.stderr);
  await stage.seeCommands(['config --json', ...fewCommands]);
  await stage.end();
  await stage.seeStored('at the end');
  assertNoLeak(stage);
});

test('showing the options reveals no password, also of an unreachable database or mail server', async () => {
  const watch = new Watch();
  const environment = {
    PUBLIC_URL: 'https://accounts.test',
    DATABASE_URL: `postgres://bob:${watch.keep(canary('db'))}@127.0.0.1:1/x?password=${watch.keep(canary('tls'))}`,
    SMTP_URL: `smtp://mailer:${watch.keep(canary('smtp'))}@127.0.0.1:1`,
    MAIL_FROM: 'a@example.org',
    SECRET_KEY: `k1 ${watch.keep(Buffer.from(canary('key').slice(0, 32)).toString('base64url'))}`,
  };
  for (const command of [['config'], ['doctor'], ['user', 'list'], ['serve']]) {
    const { stdout, stderr } = await runProgram(command, { environment });
    assert.ok((stdout + stderr).length > 0, command.join(' '));
    watch.see(command.join(' '), stdout + stderr);
  }
  const faulty = {
    ...environment,
    SMTP_URL: environment.SMTP_URL.replace('smtp:', 'http:'),
    SECRET_KEY: `${environment.SECRET_KEY}!`,
    DATABASE_URL: environment.DATABASE_URL.replace('postgres:', 'mysql:'),
  };
  const { stderr } = await host.run(['config'], { environment: faulty });
  assert.match(stderr, /SMTP_URL[^]*|SECRET_KEY/);
  watch.see('faulty options', stderr);
  assert.deepEqual(watch.leaks(), []);
});

test('a leak is reported in each of its forms', () => {
  const { token } = createToken(resetKind);
  const secret = token.slice(-43);
  for (const text of [
    token,
    secret,
    encodeURIComponent(token),
    Buffer.from(token).toString('hex'),
    Buffer.from(secret, 'base64url').toString('hex'),
  ]) {
    const watch = new Watch();
    watch.see('somewhere', `before ${text} after`);
    watch.keep(token);
    assert.deepEqual(watch.leaks(), [`${token} in somewhere`]);
  }
  const calm = new Watch();
  calm.keep(token);
  calm.see('somewhere', token.slice(0, 36));
  assert.deepEqual(calm.leaks(), [], 'the handle is not a secret');
});

// One user's way through public mode, with a real socket and a real SMTP server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freshDatabase, type FreshDatabase } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { tokenIn as findToken } from '../support/mail-box.ts';
import { startMailCatcher, type CaughtMail, type MailCatcher } from '../support/mail-catcher.ts';
import { startService, type ServiceProcess } from '../support/service.ts';

const email = 'Guillaume@holberton.test';
const password = 'correct horse battery staple';
const newPassword = 'another horse battery staple';

let catcher: MailCatcher;
let database: FreshDatabase;
let service: ServiceProcess;

before(async () => {
  catcher = await startMailCatcher();
  database = await freshDatabase('sqlite');
  const environment = {
    DATABASE_URL: database.url,
    DATA_DIR: database.url.replace(/^sqlite:/, '').replace(/\/[^/]+$/, ''),
    PUBLIC_URL: 'https://accounts.test',
    SMTP_URL: catcher.url,
    MAIL_FROM: 'Accounts <accounts@accounts.test>',
  };
  service = await startService(environment);
});

after(async () => {
  await service.stop();
  await catcher.close();
  await database.drop();
});

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly cookies: string[];
}

async function send(
  method: string,
  path: string,
  fields?: Record<string, string>,
  cookie?: string,
): Promise<Reply> {
  const response = await fetch(service.baseUrl + path, {
    method,
    redirect: 'manual',
    headers: cookie === undefined ? {} : { cookie },
    ...(fields !== undefined && { body: new URLSearchParams(fields) }),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, body, cookies: response.headers.getSetCookie() };
}

/** The newest mail with this subject; waits for it. */
function mailAbout(subject: RegExp): Promise<CaughtMail> {
  return eventually(`a mail about ${subject}`, () =>
    catcher.mails.findLast((mail) => subject.test(mail.parsed.subject ?? '')),
  );
}

function tokenIn(mail: CaughtMail): string {
  const token = findToken(mail.parsed.text ?? '');
  assert(token !== undefined, mail.parsed.text);
  return token;
}

test('a user registers, confirms, logs in and resets the password, and is notified by mail', async () => {
  assert.deepEqual(
    await send('POST', '/users', { email, password: 'short' }).then(({ status }) => status),
    400,
  );
  const registered = await send('POST', '/users', { email, password });
  assert.deepEqual([registered.status, registered.body], [200, { email, message: 'user created' }]);

  const early = await send('POST', '/sessions', { email, password });
  assert.deepEqual([early.status, early.body['code'], early.cookies], [401, 'invalid_credentials', []]);
  const verification = await mailAbout(/Confirm/);
  assert.deepEqual(verification.recipients, [email]);
  const confirmed = await send('PUT', '/email_verification', {
    email,
    token: tokenIn(verification),
    password,
  });
  assert.deepEqual([confirmed.status, confirmed.body], [200, { email, message: 'email confirmed' }]);

  const login = await send('POST', '/sessions', { email, password });
  assert.deepEqual([login.status, login.body], [200, { email, message: 'logged in' }]);
  const session = login.cookies.find((cookie) => cookie.startsWith('__Host-session_id='))?.split(';')[0];
  assert.match(
    login.cookies.join(),
    /__Host-session_id=[^;]+; Max-Age=2592000; Path=\/; HttpOnly; Secure; SameSite=Lax/,
  );
  assert.deepEqual((await send('GET', '/profile', undefined, session)).body, { email });
  const plain = session?.replace('__Host-', '');
  assert.equal(
    (await send('GET', '/profile', undefined, plain)).status,
    403,
    'a cookie that a subdomain can set is ignored',
  );

  const asked = await send('POST', '/reset_password', { email });
  assert.deepEqual([asked.status, asked.body], [200, { email, message: 'reset token sent' }]);
  const reset = tokenIn(await mailAbout(/Reset your password/));
  const done = await send('PUT', '/reset_password', { email, reset_token: reset, new_password: newPassword });
  assert.deepEqual([done.status, done.body], [200, { email, message: 'Password updated' }]);
  assert.equal(
    (await send('GET', '/profile', undefined, session)).status,
    403,
    'the reset ended every session',
  );
  assert.equal(
    (await send('PUT', '/reset_password', { email, reset_token: reset, new_password: newPassword })).status,
    403,
  );
  await mailAbout(/was changed/);
  assert.equal((await send('POST', '/sessions', { email, password: newPassword })).status, 200);

  const again = await send('POST', '/users', { email, password });
  assert.deepEqual(
    [again.status, again.body],
    [registered.status, registered.body],
    'a taken address gets the reply of a new one',
  );
  await mailAbout(/already have an account/);
  const unknown = await send('POST', '/reset_password', { email: 'nobody@holberton.test' });
  assert.deepEqual([unknown.status, unknown.body['message']], [200, 'reset token sent']);
  for (const { parsed } of catcher.mails) assert.match(parsed.text ?? '', /https:\/\/accounts\.test/);
});

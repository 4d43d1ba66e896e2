// The pages that mails link to, in a browser without scripts, and the mailbox of local mode.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { Browser } from '../support/browser.ts';
import { asPage, formIn, pressButton } from '../support/page-form.ts';
import { tokenIn } from '../support/mail-box.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { memberOf, send, type Reply } from '../support/request.ts';
import { testService } from '../support/service.ts';
import { lacks, without } from '../support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

describe('the pages of mails', () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  /** Path of the link in the newest mail to the address. */
  async function linkTo(email: string): Promise<string> {
    await service.deliver();
    const links = service.mails
      .filter(({ to }) => to === email)
      .flatMap(({ text }) => text.match(/https:\/\/accounts\.test\/\S+\?\S+/g) ?? []);
    const { pathname, search } = new URL(links.at(-1) ?? assert.fail(`no link for ${email}`));
    return pathname + search;
  }

  /** Opens the newest link and presses its button. */
  async function press(at: Browser, email: string, more: Record<string, string> = {}): Promise<Reply> {
    return pressButton(at, await linkTo(email), more);
  }

  test('a user confirms, resets, signs in, changes the address and undoes the change with buttons alone', async (t) => {
    if (lacks(t, 'email-change', 'email-sign-in')) return;
    const email = freshEmail();
    const at = new Browser(service);
    await at.post('/users', { email, password: newPassword });
    assert.match((await press(at, email)).text, /Your account/);
    assert.match((await press(at, email)).text, /wrong, was used before/);

    service.service.clock.advance(2 * minuteMs);
    await at.post('/reset_password', { email });
    const weak = await press(at, email, { new_password: 'short' });
    assert.equal(weak.status, 400);
    assert.match(weak.text, /This is too short/);
    const password = 'ten toads behind a blue door';
    assert.match((await press(at, email, { new_password: password })).text, /Your password was changed/);
    assert.equal((await at.get('/profile')).status, 403, 'a reset ends the session and creates none');

    service.service.clock.advance(2 * minuteMs);
    await at.post('/sessions/email', { email });
    assert.match((await press(at, email)).text, /Your account/);
    assert.equal((await at.get('/profile')).status, 200);

    const wished = freshEmail();
    await at.post('/profile/email', { email: wished, password });
    const link = await linkTo(wished);
    const elsewhere = await press(new Browser(service), wished);
    assert.match(elsewhere.text, /<title>Sign in/, 'rejected without the session');
    assert.equal(new URL(formIn(elsewhere).fields['return_to'] ?? '', 'http://x').pathname, '/account/email');
    assert.ok(link.startsWith('/account/email?'));
    assert.match((await press(at, wished)).text, /Your email was changed/);
    const events = await service.service.core.audit.list({ limit: 100 });
    assert.equal(events.find(({ reason }) => reason === 'email_changed')?.actor, 'user');
    assert.equal(memberOf((await at.get('/profile')).body, 'email'), wished);

    assert.match((await press(new Browser(service), email)).text, /Your old address is restored/);
    assert.equal((await at.get('/profile')).status, 403);
  });

  test('the page of a reset has a password field that works with password managers', async () => {
    const { email } = await service.member();
    await service.post('/reset_password', { email });
    const { text } = await service.send({ method: 'GET', path: await linkTo(email), headers: asPage });
    const [field = '', ...others] = text.match(/<input\s[^>]*type="password"[^>]*>/g) ?? [];
    assert.deepEqual(others, []);
    assert.match(field, /autocomplete="new-password"/);
    assert.match(text, /<input type="text" name="email" value="[^"]+" autocomplete="username"/);
    assert.doesNotMatch(text, /maxlength|onpaste/);
  });

  test('each page is in French for browsers that prefer it', async () => {
    const { email } = await service.member();
    await service.post('/reset_password', { email });
    const page = await service.send({
      method: 'GET',
      path: await linkTo(email),
      headers: { ...asPage, 'accept-language': 'fr-CH, en;q=0.5' },
    });
    assert.match(page.text, /<html lang="fr"/);
    assert.match(page.text, /Nouveau mot de passe/);
  });

  test('a user who registers in French gets mails in French', async () => {
    const email = freshEmail();
    await service.post('/users', { email, password: newPassword }, { 'accept-language': 'fr' });
    await service.deliver();
    service.service.clock.advance(2 * minuteMs);
    await service.post('/reset_password', { email }, { 'accept-language': 'en' });
    await service.deliver();
    const subjects = service.mails.filter(({ to }) => to === email).map(({ subject }) => subject);
    assert.deepEqual(subjects, [
      'Confirmez votre adresse e‑mail pour Bienvenue',
      'Réinitialisez votre mot de passe pour Bienvenue',
    ]);
  });

  const routes = {
    '/confirm': '/email_verification',
    '/reset': '/reset_password',
    '/sign-in/link': '/sessions/email',
    '/account/email': '/profile/email',
    '/account/email/undo': '/profile/email/undo',
    '/account/delete/undo': '/profile/undo',
  };
  const featuresOf: Readonly<Record<string, string>> = {
    '/sign-in/link': 'email-sign-in',
    '/account/email': 'email-change',
    '/account/email/undo': 'email-change',
    '/account/delete/undo': 'account-deletion',
  };
  for (const [path, route] of Object.entries(routes)) {
    const feature = featuresOf[path];
    if (feature !== undefined && without(feature) !== false) continue;
    test(`${path} shows the content of a link as text, whatever it is, and loads nothing from other hosts`, async () => {
      const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`;
      const query = String(new URLSearchParams({ email: evil, token: evil }));
      const page = await service.send({ method: 'GET', path: `${path}?${query}`, headers: asPage });
      assert.equal(page.status, 200);
      assert.doesNotMatch(page.text, /<script>|<img/);
      const policy = String(page.headers['content-security-policy']);
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.equal(page.headers['referrer-policy'], 'no-referrer');
      assert.ok(Buffer.byteLength(page.text) < 20_000);
    });

    test(`${path} shows a program how to redeem the token, and accepts forms only from our own pages (A43)`, async () => {
      const hint = await service.send({ method: 'GET', path, headers: { accept: 'application/json' } });
      const message = 'redeem the token with this request';
      assert.deepEqual([hint.status, hint.body], [200, { message, method: 'PUT', path: route }]);
      const headers = { ...asPage, origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' };
      const fields = { email: 'a@example.org', token: 'x' };
      assert.equal((await service.send({ method: 'POST', path, fields, headers })).status, 403);
    });
  }

  test('there is no mailbox in public mode', async (t) => {
    if (lacks(t, 'mailbox')) return;
    assert.equal((await service.send({ method: 'GET', path: '/dev/mailbox' })).status, 404);
  });
});

test('in local mode mails are stored and shown in the mailbox, newest first, as a page and as JSON', async (t) => {
  if (lacks(t, 'mailbox')) return;
  const service = await testService('sqlite');
  try {
    const ask = (path: string, headers = {}): Promise<Reply> =>
      send(service.app, { method: 'GET', path, headers });
    assert.match((await ask('/dev/mailbox', asPage)).text, /No emails yet/);
    const email = freshEmail();
    const fields = { email, password: 'b4l0u' };
    await send(service.app, { method: 'POST', path: '/users', fields });
    await send(service.app, { method: 'POST', path: '/users', fields });
    const { auth } = service.core;
    await auth.setPassword(email, 'another one');
    const { body } = await ask('/dev/mailbox');
    const mails = memberOf(body, 'mails') as Record<string, string>[]; // the mailbox's own reply
    assert.deepEqual(
      mails.map(({ kind, to }) => [kind, to]),
      [
        ['password_changed', email],
        ['already_registered', email],
      ],
    );
    assert.match((await ask('/dev/mailbox', asPage)).text, /Your password for Bienvenue was changed/);
    const one = await ask(`/dev/mailbox/${mails[0]?.['id']}`, asPage);
    assert.equal(one.text, mails[0]?.['html']);
    assert.match(String(one.headers['content-security-policy']), /default-src 'none'/);
    const page = await ask('/dev/mailbox', asPage);
    const links = [...page.text.matchAll(/href="(https?:[^"]+)"/g)].map(([, link = '']) => link);
    assert.ok(links.length > 0);
    for (const link of links)
      assert.match(link, /[\w/-]$/, 'a link ends before the punctuation of its sentence');
    assert.equal((await ask('/dev/mailbox/none')).status, 404);
  } finally {
    await service.close();
  }
});

test('in local mode the reset token of the reply is in the mailbox, and a new one replaces it there', async (t) => {
  if (lacks(t, 'mailbox')) return;
  const service = await testService('sqlite');
  try {
    const email = freshEmail();
    await send(service.app, { method: 'POST', path: '/users', fields: { email, password: 'b4l0u' } });
    const ask = async (): Promise<string> => {
      const reply = await send(service.app, { method: 'POST', path: '/reset_password', fields: { email } });
      assert.deepEqual(Object.keys(reply.body as object), ['email', 'reset_token']);
      return String(memberOf(reply.body, 'reset_token'));
    };
    const tokens = [await ask(), await ask(), await ask(), await ask(), await ask()];
    const { body } = await send(service.app, { method: 'GET', path: '/dev/mailbox' });
    const mails = memberOf(body, 'mails') as Record<string, string>[]; // the mailbox's own reply
    assert.deepEqual(
      mails.map(({ kind, to, text = '' }) => [kind, to, tokenIn(text)]),
      [['reset_password', email, tokens.at(-1)]],
    );
    for (const [i, reset_token] of tokens.entries()) {
      const fields = { email, reset_token, new_password: 't4rt1fl3tt3' };
      const reply = await send(service.app, { method: 'PUT', path: '/reset_password', fields });
      assert.equal(reply.status, i === tokens.length - 1 ? 200 : 403);
    }
  } finally {
    await service.close();
  }
});

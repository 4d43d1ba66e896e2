// Every mail as a mail server receives it: through a real SMTP server, in each language, with the expected headers, and
// with a link and a code that work over a real socket.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { Browser } from '../support/browser.ts';
import { codeIn, tokenIn } from '../support/mail-box.ts';
import { startMailCatcher, type CaughtMail, type MailCatcher } from '../support/mail-catcher.ts';
import { unescapeMarkup } from '../support/markup.ts';
import { pressButton } from '../support/page-form.ts';
import { publicMode } from '../support/public-service.ts';
import { memberOf, sendTo, type Reply } from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';
import { lacks } from '../support/feature.ts';

const password = 'seven otters in a quiet river';
const newPassword = 'nine newts under a green umbrella';
/** Neither of the two is ASCII, so that a header has to encode them. */
const product = 'Café Noé';
const sender = { name: 'Comptes à Noé', address: 'accounts@accounts.test' };
const origin = 'https://accounts.test';

interface Tongue {
  readonly asks: string;
  readonly footer: string;
  readonly subjects: Readonly<Record<string, string>>;
}

const tongues: Readonly<Record<string, Tongue>> = {
  en: {
    asks: 'en-GB, en;q=0.9, fr;q=0.1',
    footer: `This email was sent by ${product} at ${origin}. Replies are not read.`,
    subjects: {
      confirmation: `Confirm your email for ${product}`,
      reset: `Reset your password for ${product}`,
      signIn: `Sign in to ${product}`,
      change: `Confirm your new email for ${product}`,
      changed: `Your email for ${product} was changed`,
      undone: `Your previous email for ${product} was restored`,
      registered: `You already have an account at ${product}`,
      password: `Your password for ${product} was changed`,
      device: `New sign-in to ${product}`,
    },
  },
  fr: {
    asks: 'fr-CH, fr;q=0.9, en;q=0.5',
    footer: `Cet e‑mail a été envoyé par ${product} (${origin}). Les réponses ne sont pas lues.`,
    subjects: {
      confirmation: `Confirmez votre adresse e‑mail pour ${product}`,
      reset: `Réinitialisez votre mot de passe pour ${product}`,
      signIn: `Connexion à ${product}`,
      change: `Confirmez votre nouvelle adresse e‑mail pour ${product}`,
      changed: `L’adresse e‑mail de votre compte sur ${product} a changé`,
      undone: `Votre ancienne adresse e‑mail pour ${product} a été rétablie`,
      registered: `Vous avez déjà un compte sur ${product}`,
      password: `Votre mot de passe pour ${product} a été modifié`,
      device: `Nouvelle connexion à ${product}`,
    },
  },
};

/** The link and the code of a mail with a token. */
interface Way {
  /** Path and query of the link. */
  readonly path: string;
  readonly token: string;
  readonly code: string | undefined;
}

/** Asserts what holds for every mail, whatever its kind. */
function assertMail({ recipients, parsed, raw }: CaughtMail, to: string, language: string): void {
  const { footer } = tongues[language] ?? assert.fail(language);
  assert.deepEqual(recipients, [to], 'the envelope');
  assert.deepEqual(parsed.to, [{ name: '', address: to }]);
  assert.deepEqual([parsed.cc, parsed.bcc, parsed.attachments.length], [undefined, undefined, 0]);
  assert.deepEqual(parsed.from, sender);
  assert.match(parsed.messageId ?? '', /^<[\da-f-]{36}@accounts\.test>$/);
  assert.ok(!Number.isNaN(Date.parse(parsed.date ?? '')), 'it has a date');
  // RFC 3834 §5: an automatic reply must not be answered automatically.
  const automatic = parsed.headers.filter(({ key }) => key === 'auto-submitted');
  assert.deepEqual(
    automatic.map(({ value }) => value),
    ['auto-generated'],
  );
  const head = raw.slice(0, raw.indexOf('\r\n\r\n'));
  assert.match(head, /^[\t\r\n -~]*$/, 'headers are ASCII (RFC 5322 §2.2)');
  assert.ok(
    raw.split('\r\n').every((line) => line.length <= 998),
    'no line is longer than RFC 5322 §2.1.1 allows',
  );
  const { text = '', html = '' } = parsed;
  assert.ok(text.includes(footer), text);
  assert.ok(unescapeMarkup(html).includes(footer), html);
  assert.ok(html.includes(`<html lang="${language}"`), html);
  for (const part of [text, html]) assert.doesNotMatch(part, /\uFFFD|Ã|â€/, 'it declares another charset');
}

/** The link of a mail: the same in both of its parts, and to our service. */
function wayOf({ parsed: { text = '', html = '' } }: CaughtMail): Way {
  const links = text.match(/https?:\S+\?\S+/g) ?? [];
  assert.equal(links.length, 1, text);
  const link = links[0] ?? '';
  const hrefs = [...html.matchAll(/href="([^"]*)"/g)].map(([, href = '']) => unescapeMarkup(href));
  assert.deepEqual(hrefs, [link]);
  assert.ok(link.startsWith(`${origin}/`), link);
  const token = tokenIn(text) ?? assert.fail(text);
  const code = codeIn(text);
  if (code !== undefined) assert.ok(html.includes(code), 'both parts contain the code');
  return { path: link.slice(origin.length), token, code };
}

for (const [language, { asks, subjects }] of Object.entries(tongues)) {
  describe(`mails through SMTP (${language})`, () => {
    let catcher: MailCatcher;
    let service: TestService;
    let baseUrl: string;
    let people = 0;

    before(async () => {
      catcher = await startMailCatcher();
      service = await testService('sqlite', {
        ...publicMode,
        SMTP_URL: catcher.url,
        MAIL_FROM: `${sender.name} <${sender.address}>`,
        PRODUCT_NAME: product,
        EMAIL_SIGN_IN: 'true',
      });
      baseUrl = await service.app.listen({ host: '127.0.0.1', port: 0 });
    });
    after(async () => {
      await service.close();
      await catcher.close();
    });

    const browser = (): Browser =>
      new Browser({ send: (request) => sendTo(baseUrl, request) }, { 'accept-language': asks });
    /** The stored spelling; users type it in lower case. */
    const freshAddress = (): string => `Noe.${(people += 1)}@holberton.test`;

    /** Asserts that exactly these mails, by subject, were sent to the address so far. */
    async function mailsTo(to: string, about: readonly string[]): Promise<CaughtMail[]> {
      await service.core.outbox.deliver();
      const mails = catcher.mails.splice(0);
      for (const mail of mails) assertMail(mail, to, language);
      // Mails of the same instant arrive in any order.
      const wanted = about.map((name) => subjects[name]);
      const found = wanted.flatMap((subject) => mails.filter(({ parsed }) => parsed.subject === subject));
      assert.deepEqual([found.map(({ parsed }) => parsed.subject), mails.length], [wanted, about.length]);
      return found;
    }
    async function wayTo(to: string, about: string): Promise<Way> {
      const [mail] = await mailsTo(to, [about]);
      return wayOf(mail ?? assert.fail(about));
    }
    function assertDone({ status, text }: Reply): void {
      assert.equal(status, 200, text);
      assert.ok(text.includes(`<html lang="${language}"`), text);
    }
    const logIn = (at: Browser, email: string, secret: string): Promise<Reply> =>
      at.post('/sessions', { email, password: secret });
    const emailOf = async (at: Browser): Promise<unknown> =>
      memberOf((await at.get('/profile')).body, 'email');

    /** A user who confirmed the address with the link and is signed in. */
    async function member(): Promise<{ email: string; at: Browser }> {
      const email = freshAddress();
      const at = browser();
      assert.equal((await at.post('/users', { email, password })).status, 200);
      const confirmed = await pressButton(at, (await wayTo(email, 'confirmation')).path);
      assertDone(confirmed);
      assert.equal(await emailOf(at), email, 'the browser that registered is signed in');
      assert.equal((await logIn(at, email, password)).status, 200);
      service.clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
      return { email, at };
    }

    test('the confirmation after a registration works with its link, and with its code', async () => {
      await member();
      const email = freshAddress();
      const at = browser();
      await at.post('/users', { email, password });
      const { code = '' } = await wayTo(email, 'confirmation');
      assert.equal((await at.put('/email_verification', { email, token: code })).status, 200);
      assert.equal((await logIn(at, email, password)).status, 200);
    });

    test('another confirmation is sent to the stored address, and using it revokes the first', async () => {
      const email = freshAddress();
      const at = browser();
      await at.post('/users', { email, password });
      const { token } = await wayTo(email, 'confirmation');
      service.clock.advance(2 * minuteMs);
      await at.post('/email_verification', { email: email.toLowerCase() });
      const { path } = await wayTo(email, 'confirmation');
      assertDone(await pressButton(at, path));
      assert.equal((await at.put('/email_verification', { email, token })).status, 403);
      assert.equal((await logIn(at, email, password)).status, 200);
    });

    test('registering an address again notifies its owner, and sends no token', async () => {
      const { email } = await member();
      await browser().post('/users', { email: email.toLowerCase(), password: newPassword });
      const [mail] = await mailsTo(email, ['registered']);
      assert.equal(tokenIn(mail?.parsed.text ?? ''), undefined);
    });

    test('a reset is mailed to the stored address, sets the password, and sends a notification', async () => {
      const { email, at } = await member();
      const asking = browser();
      await asking.post('/reset_password', { email: email.toLowerCase() });
      const { path } = await wayTo(email, 'reset');
      assertDone(await pressButton(browser(), path, { new_password: newPassword }));
      await mailsTo(email, ['password']);
      assert.equal((await at.get('/profile')).status, 403);
      assert.equal((await logIn(at, email, newPassword)).status, 200);
      await mailsTo(email, []);

      service.clock.advance(2 * minuteMs);
      await asking.post('/reset_password', { email });
      const { code = '' } = await wayTo(email, 'reset');
      const fields = { email, reset_token: code, new_password: password };
      assert.equal((await asking.put('/reset_password', fields)).status, 200);
      await mailsTo(email, ['password']);
    });

    test('a password change in the session sends a notification', async () => {
      const { email, at } = await member();
      const reply = await at.put('/profile/password', { password, new_password: newPassword });
      assert.equal(reply.status, 200);
      await mailsTo(email, ['password']);
    });

    test('a sign-in on another device sends a notification', async () => {
      const { email, at } = await member();
      await logIn(at, email, password);
      await mailsTo(email, []);
      await logIn(browser(), email, password);
      await mailsTo(email, ['device']);
    });

    test('a sign-in by mail works with its code in the browser that requested it, and with its link anywhere', async (t) => {
      if (lacks(t, 'email-sign-in')) return;
      const { email, at } = await member();
      await at.post('/sessions/email', { email: email.toLowerCase() });
      const { code = '' } = await wayTo(email, 'signIn');
      assert.equal((await at.put('/sessions/email', { email, token: code })).status, 200);
      service.clock.advance(2 * minuteMs);
      await at.post('/sessions/email', { email });
      const { path } = await wayTo(email, 'signIn');
      const phone = browser();
      assertDone(await pressButton(phone, path));
      assert.equal(await emailOf(phone), email);
      await mailsTo(email, ['device']);
    });

    test('a change of address is confirmed by the new address; the old address can undo it and gets the reset', async (t) => {
      if (lacks(t, 'email-change')) return;
      const { email, at } = await member();
      const wished = freshAddress();
      await at.post('/profile/email', { email: wished, password });
      const proof = await wayTo(wished, 'change');
      assertDone(await pressButton(at, proof.path));
      assert.equal(await emailOf(at), wished);

      const undo = await wayTo(email, 'changed');
      assert.equal(undo.code, undefined);
      assertDone(await pressButton(browser(), undo.path));
      assert.equal((await at.get('/profile')).status, 403);
      const [, reset] = await mailsTo(email, ['undone', 'reset']);
      const { path } = wayOf(reset ?? assert.fail('no reset'));
      assertDone(await pressButton(browser(), path, { new_password: newPassword }));
      await mailsTo(email, ['password']);
      assert.equal((await logIn(at, email, newPassword)).status, 200);
      await mailsTo(email, []);
    });
  });
}

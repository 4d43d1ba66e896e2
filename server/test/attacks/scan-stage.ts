// A service whose mailed links scanners open before their reader does: how a link of each kind is mailed and used.
import assert from 'node:assert/strict';
import { minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { tokenLink, type TokenKind } from '../../src/identity/token/kinds.ts';
import { addToken } from '../../src/identity/token/store.ts';
import { Browser } from '../support/browser.ts';
import { addApp } from '../support/factor.ts';
import { everyRowOf } from '../support/contents.ts';
import { pressButton } from '../support/page-form.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { memberOf } from '../support/request.ts';
import { without } from '../support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

/** A link that was mailed to a user and not used yet. */
export interface Mailed {
  /** Path and query of the link. */
  readonly path: string;
  /** Uses the link as the user, and asserts that it works. */
  readonly use: () => Promise<void>;
}

/** What a kind of mail needs to be sent. */
const featuresOf: Readonly<Record<string, readonly string[]>> = {
  sign_in: ['email-sign-in'],
  email_change: ['email-change'],
  email_undo: ['email-change'],
  factor_undo: ['totp'],
  deletion_undo: ['account-deletion'],
};

export interface ScanStage {
  readonly service: PublicService;
  /** Mails a link of each kind of token; those of features that are there. */
  readonly mailed: readonly (readonly [kind: string, mail: () => Promise<Mailed>])[];
  /** Asserts that no row changes during the work. */
  readonly assertInert: (scan: () => Promise<unknown>) => Promise<void>;
}

export async function openScanStage(): Promise<ScanStage> {
  const service = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true' });

  async function linkTo(email: string): Promise<string> {
    await service.deliver();
    const { text = '' } = service.mails.findLast(({ to }) => to === email) ?? {};
    const link = /https:\/\/accounts\.test(\/\S+\?\S+)/.exec(text)?.[1];
    return link ?? assert.fail(`no link for ${email}`);
  }
  async function press(
    at: Browser,
    path: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { status, text } = await pressButton(at, path, more);
    assert.equal(status, 200, text);
  }
  async function signedIn(): Promise<{ email: string; password: string; at: Browser }> {
    const { email, password } = await service.member();
    const at = new Browser(service);
    assert.equal((await at.post('/sessions', { email, password })).status, 200);
    service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
    return { email, password, at };
  }
  const emailOf = async (at: Browser): Promise<unknown> => memberOf((await at.get('/profile')).body, 'email');

  /** By kind of token. */
  const mailed: Readonly<Record<string, () => Promise<Mailed>>> = {
    async verification() {
      const [email, password] = [freshEmail(), newPassword];
      const at = new Browser(service); // the browser that registers; another one is asked for the password
      assert.equal((await at.post('/users', { email, password })).status, 200);
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.equal((await service.logIn(email, password)).status, 401);
        await press(at, path);
        assert.equal((await service.logIn(email, password)).status, 200);
      };
      return { path, use };
    },
    async reset() {
      const { email } = await service.member();
      await service.post('/reset_password', { email });
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        await press(new Browser(service), path, { new_password: newPassword });
        assert.equal((await service.logIn(email, newPassword)).status, 200);
      };
      return { path, use };
    },
    async sign_in() {
      const { email } = await service.member();
      await service.post('/sessions/email', { email });
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        const at = new Browser(service);
        await press(at, path);
        assert.equal(await emailOf(at), email);
      };
      return { path, use };
    },
    async email_change() {
      const { email, password, at } = await signedIn();
      const wished = freshEmail();
      await at.post('/profile/email', { email: wished, password });
      const path = await linkTo(wished);
      const use = async (): Promise<void> => {
        assert.equal(await emailOf(at), email);
        await press(at, path);
        assert.equal(await emailOf(at), wished);
      };
      return { path, use };
    },
    async email_undo() {
      const { email, password, at } = await signedIn();
      const wished = freshEmail();
      await at.post('/profile/email', { email: wished, password });
      await press(at, await linkTo(wished));
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.equal(await emailOf(at), wished);
        await press(new Browser(service), path);
        assert.equal((await at.get('/profile')).status, 403);
        await press(new Browser(service), await linkTo(email), { new_password: newPassword });
        assert.equal((await service.logIn(email, newPassword)).status, 200);
      };
      return { path, use };
    },
    async factor_undo() {
      const { email, password, at } = await signedIn();
      await addApp(at, service.service.clock);
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.deepEqual(memberOf((await service.logIn(email, password)).body, 'factors'), ['totp']);
        await press(new Browser(service), path);
        assert.equal((await service.logIn(email, password)).status, 401);
        await press(new Browser(service), await linkTo(email), { new_password: newPassword });
        assert.equal(memberOf((await service.logIn(email, newPassword)).body, 'message'), 'logged in');
      };
      return { path, use };
    },
    async deletion_undo() {
      const { email, password, at } = await signedIn();
      assert.equal((await at.send({ method: 'DELETE', path: '/profile' })).status, 200);
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.equal((await service.logIn(email, password)).status, 401);
        await press(new Browser(service), path);
        assert.equal((await service.logIn(email, password)).status, 200);
      };
      return { path, use };
    },
  };

  /** A link with a token that no mail carried, of a kind that is not above. */
  async function written(kind: TokenKind): Promise<Mailed> {
    const { id, email } = await service.member();
    const { core, clock } = service.service;
    const now = clock.now();
    const token = createToken(kind);
    await addToken(core.database, { ...token, userId: id, kind: kind.kind, now, expiresAt: now + minuteMs });
    const path = tokenLink('', kind, { email, token: token.token });
    const use = async (): Promise<void> => {
      await press(new Browser(service), path, kind.page.hasPassword ? { new_password: newPassword } : {});
      assert.equal(await core.tokens.isLive(token.id), false, `${kind.kind} was not consumed`);
    };
    return { path, use };
  }

  /** Asserts that no row changes during the work. */
  async function assertInert(scan: () => Promise<unknown>): Promise<void> {
    const { database } = service.service.core;
    const earlier = await everyRowOf(database);
    await scan();
    assert.deepEqual(await everyRowOf(database), earlier);
  }

  const present = Object.entries(mailed).filter(([kind]) => without(...(featuresOf[kind] ?? [])) === false);

  const others = service.service.core.tokens.kinds
    .filter(({ kind }) => mailed[kind] === undefined)
    .map((kind) => [kind.kind, () => written(kind)] as const);
  return { service, mailed: [...present, ...others], assertInert };
}

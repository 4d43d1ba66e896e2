// Drives a browser through every flow, and stops at each page in each of its states. Tests look at the pages on the way.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { minuteMs } from '../../src/kit/clock.ts';
import type { Environment } from '../../src/config/read-options.ts';
import type { MessageValues } from '../../src/kit/language.ts';
import { hasFeature } from '../support/feature.ts';
import { kits } from '../support/kit.ts';
import { freshEmail } from '../support/person.ts';
import { asPublic, goodPassword, type Site, type Visitor } from '../support/visitor.ts';
import { otherPassword } from './story.ts';

/** The service of the tour: everything that pages can show is switched on. */
export const tourEnvironment: Environment = {
  ...asPublic,
  TERMS_URL: 'https://example.org/terms',
  PRIVACY_URL: 'https://example.org/privacy',
  SUPPORT_URL: 'mailto:help@example.org',
};

/** A password that the rule rejects, although it is long enough. */
const guessable = 'aaaaaaaaaaaaaaaa';

/**
 * Starts an application that answers with nothing, so that the browser stays on the page that leads there. It listens,
 * because a browser whose requests are intercepted caches no file.
 */
async function startApplication(): Promise<Server> {
  const application = createServer((_request, reply) => void reply.writeHead(204).end());
  await once(application.listen(0, '127.0.0.1'), 'listening');
  return application;
}

export type Look = (state: string) => Promise<void>;

export class Tour {
  readonly #at: Visitor;
  readonly #site: Site;
  readonly #look: Look;
  readonly #email = freshEmail();
  /** A well-formed token that was used. */
  #token = '';

  constructor(at: Visitor, site: Site, look: Look) {
    this.#at = at;
    this.#site = site;
    this.#look = look;
  }

  async go(): Promise<void> {
    const application = await startApplication();
    try {
      const { port } = application.address() as AddressInfo; // it listens on a port
      await this.#walk(`http://localhost:${port}`);
    } finally {
      application.close();
    }
  }

  async #walk(application: string): Promise<void> {
    this.#at.allow(application);
    await this.#signIns();
    await this.#signUps();
    await this.#resets();
    await this.#account();
    await this.#ofFeatures();
    const address = hasFeature('email-change') ? await this.#addresses() : this.#email;
    await this.#leaving(`${application}/app`);
    const undo = await this.#factors(address);
    await this.#undos(address, undo);
    if (hasFeature('account-deletion')) await this.#closing(this.#email);
  }

  /** Opens a page. */
  async #open(path: string, state: string = path): Promise<void> {
    await this.#at.goTo(path);
    await this.#look(state);
  }

  /** Opens a page that says what a form of the browser did. */
  async #openResult(path: string, state: string): Promise<void> {
    const { origin } = this.#site;
    const { pathname, searchParams } = new URL(path, origin);
    const value = `${pathname.replaceAll('/', '.')}~${searchParams.get('done') ?? ''}`;
    await this.#at.context.addCookies([{ name: 'done', value, url: origin }]);
    await this.#open(path, state);
  }

  async #press(key: string, state: string, values: MessageValues = {}): Promise<void> {
    await this.#at.press(key, values);
    await this.#look(state);
  }

  async #enterCode(name: string, code: string, key: string, state: string): Promise<void> {
    await this.#at.enterCode(name, code, key);
    await this.#look(state);
  }

  /** The pages that features show by themselves. */
  async #ofFeatures(): Promise<void> {
    const { page } = this.#at;
    const { service, origin } = this.#site;
    const allow = (to: string): void => this.#at.allow(to);
    for (const kit of kits) await kit.draw?.({ service, origin, page, draw: this.#look, allow });
  }

  /** Lets the pauses between mails pass. */
  #wait(minutes = 2): void {
    this.#site.service.clock.advance(minutes * minuteMs);
  }

  async #signIns(): Promise<void> {
    const at = this.#at;
    await this.#open('/', 'welcome');
    await this.#open('/nothing', 'not found');
    if (hasFeature('theme-preview')) await this.#open('/dev/theme', 'theme');
    await this.#open('/sign-in?return_to=%2Faccount%2Fsessions', 'sign in');
    await at.type({ email: 'nobody', password: 'x' });
    await this.#press('page.sign_in.act', 'sign in, malformed');
    await at.type({ email: this.#email, password: 'x' });
    await this.#press('page.sign_in.act', 'sign in, refused');
    if (!hasFeature('email-sign-in')) return;
    await this.#press('page.sign_in.by_mail', 'code to sign in');
    await this.#enterCode('token', 'AAAA-AAAA', 'page.code.sign_in_act', 'code to sign in, refused');
  }

  async #signUps(): Promise<void> {
    const at = this.#at;
    const elsewhere = freshEmail();
    await this.#open('/sign-up?return_to=%2Faccount%2Fsessions', 'sign up');
    await at.type({ email: this.#email, password: guessable });
    await this.#press('page.sign_up.act', 'sign up, refused');
    await at.type({ password: goodPassword });
    await this.#press('page.sign_up.act', 'code to confirm');
    await this.#enterCode('token', 'AAAA-AAAA', 'page.code.verification_act', 'code to confirm, refused');
    if (hasFeature('mailbox')) await this.#open('/dev/mailbox', 'mailbox');
    const link = await this.#site.linkTo(this.#email);
    this.#token = new URL(link, this.#site.origin).searchParams.get('token') ?? '';
    await this.#open(link, 'confirm');
    await at.press('page.confirm.act');
    await at.context.clearCookies();
    await this.#openResult('/sign-in?done=confirmed&email=x%40example.org', 'confirmed');
    await at.goTo(link);
    await this.#press('page.confirm.act', 'link, refused');
    await this.#open('/confirm?email=x%40example.org', 'link, incomplete');
    await this.#open('/confirm/again', 'confirm again');
    await at.type({ email: 'nobody' });
    await this.#press('page.confirm_again.act', 'confirm again, refused');
    await at.signUp(elsewhere);
    await at.context.clearCookies(); // another browser
    await at.goTo(await this.#site.linkTo(elsewhere));
    await this.#press('page.confirm.act', 'confirm, in another browser');
    await at.type({ password: 'wrong' });
    await this.#press('page.confirm.act', 'confirm, in another browser, refused');
  }

  async #resets(): Promise<void> {
    const at = this.#at;
    this.#wait();
    await this.#open('/forgot?return_to=%2Faccount%2Fsessions', 'forgot');
    await at.type({ email: 'nobody' });
    await this.#press('page.forgot.act', 'forgot, refused');
    await at.type({ email: this.#email });
    await this.#press('page.forgot.act', 'code to reset');
    await at.type({ token: 'AAAA-AAAA', new_password: otherPassword });
    await this.#press('page.code.reset_act', 'code to reset, refused');
    await this.#open(await this.#site.linkTo(this.#email), 'reset');
    await at.type({ new_password: guessable });
    await this.#press('page.reset.act', 'reset, refused');
    await at.type({ new_password: otherPassword });
    await this.#press('page.reset.act', 'reset, done');
  }

  async #account(): Promise<void> {
    const at = this.#at;
    const email = this.#email;
    if (hasFeature('email-sign-in')) {
      this.#wait();
      await at.goTo('/sign-in');
      await at.type({ email });
      await at.press('page.sign_in.by_mail');
      await this.#open(await this.#site.linkTo(email), 'link to sign in');
      await at.press('page.sign_in_mail.act');
    } else await at.signIn(email, otherPassword);
    await this.#open('/account', 'account');
    await this.#open('/account/password', 'password');
    await at.type({ password: 'wrong', new_password: goodPassword });
    await this.#press('page.password.act', 'password, refused');
    await at.type({ password: otherPassword, new_password: goodPassword });
    await this.#press('page.password.act', 'password, changed');
    await fetch(`${this.#site.origin}/sessions`, {
      method: 'POST',
      headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
      body: new URLSearchParams({ email, password: goodPassword }),
    });
    await this.#open('/account/profile', 'profile');
    await at.type({ name: 'Ada Lovelace', picture: 'ada.png' });
    await this.#press('page.profile.act', 'profile, refused');
    await at.type({ name: 'Ada Lovelace', picture: 'https://example.org/ada.png' });
    await this.#press('page.profile.act', 'profile, saved');
    await this.#afterSessionEnd();
    await this.#open('/account/sessions', 'sessions');
    await this.#press('page.sessions.end_others', 'sessions, ended');
    if (hasFeature('activity')) {
      await this.#open('/account/activity', 'activity');
      await this.#open('/account/activity/not-you', 'activity, not you');
    }
    if (hasFeature('recovery-code')) await this.#open('/account/recovery-codes', 'no recovery codes');
    await this.#open('/sign-in?email=other%40example.org', 'sign in, as another');
    await this.#open(`/confirm?email=other%40example.org&token=${this.#token}`, 'link of another');
  }

  /** Sends a form whose session has ended, and comes back to it. */
  async #afterSessionEnd(): Promise<void> {
    const { context, page } = this.#at;
    const sessions = (await context.cookies()).filter(({ name }) => name === 'session_id');
    await this.#at.goTo('/account/profile');
    await this.#at.type({ name: 'Ada' });
    await context.clearCookies({ name: 'session_id' });
    await this.#press('page.profile.act', 'sign in, signed out');
    const back = new URL(page.url()).searchParams.get('return_to') ?? '';
    await context.addCookies(sessions);
    await this.#open(back, 'profile, not sent');
  }

  /** Changes the address, and returns the new one. */
  async #addresses(): Promise<string> {
    const at = this.#at;
    const wished = freshEmail();
    this.#wait();
    await this.#open('/account/address', 'address');
    await at.type({ email: this.#email, password: goodPassword });
    await this.#press('page.address.act', 'address, refused');
    await at.type({ email: wished, password: goodPassword });
    await this.#press('page.address.act', 'code of the address');
    await this.#enterCode('token', 'AAAA-AAAA', 'page.code.email_change_act', 'code of the address, refused');
    await this.#open(await this.#site.linkTo(wished), 'link of the address');
    await this.#press('page.email_change.act', 'address, changed');
    return wished;
  }

  async #leaving(application: string): Promise<void> {
    await this.#open(`/sign-out?return_to=${encodeURIComponent(application)}`, 'sign out');
    await this.#press('page.sign_out.act', 'to the application');
  }

  /** Adds factors and uses them. Returns the link that undoes them. */
  async #factors(email: string): Promise<string | undefined> {
    const at = this.#at;
    const site = this.#site;
    await at.signIn(email);
    this.#wait(11);
    const protectedPages = {
      'data-export': 'data',
      'account-deletion': 'data',
      totp: 'authenticators',
      passkey: 'passkeys',
    };
    const [first] = Object.entries(protectedPages).filter(([feature]) => hasFeature(feature));
    if (first === undefined) return undefined;
    const [, name] = first;
    await this.#open(`/account/${name}`, 'step-up');
    await at.type({ proof: 'wrong' });
    await this.#press('page.factor.password_act', 'step-up, refused');
    await at.type({ proof: goodPassword });
    await at.press('page.factor.password_act');
    if (name === 'data') await this.#look('data');
    if (hasFeature('passkey')) await this.#passkeys();
    if (!hasFeature('totp')) return undefined;
    await this.#open('/account/authenticators', 'no apps');
    await this.#press('page.totp.add', 'seed');
    const seed = await at.seed();
    await this.#enterCode('code', '000000', 'page.totp.confirm', 'seed, refused');
    await this.#enterCode('code', site.nextCode(seed), 'page.totp.confirm', 'app, added first');
    await this.#openResult('/account/authenticators?done=added', 'app, added');
    const undo = await site.linkTo(email, '/account/factors/undo');
    const values = { name: at.say('page.totp.usual_name') };
    await this.#press('page.totp.remove_one', 'app, to be removed', values);
    if (hasFeature('recovery-code')) {
      await at.goTo('/account/recovery-codes');
      await this.#press('page.recovery_codes.act', 'new recovery codes');
      await this.#press('page.recovery_codes.have_saved', 'recovery codes, saved');
    }
    await this.#open('/account', 'account, with factors');
    await at.goTo('/sign-out');
    await this.#press('page.sign_out.act', 'signed out');
    await at.goTo('/sign-in?return_to=%2Faccount%2Fsessions');
    await at.type({ email, password: goodPassword });
    await this.#press('page.sign_in.act', 'second factor');
    await this.#enterCode('proof', '000000', 'page.factor.totp_act', 'second factor, refused');
    if (hasFeature('remembered-device')) await at.page.locator('input[name=remember_device]:visible').check();
    await this.#enterCode('proof', site.nextCode(seed), 'page.factor.totp_act', 'sessions, remembered');
    this.#wait(11);
    await this.#open('/account/authenticators', 'step-up with an app');
    return undo;
  }

  async #passkeys(): Promise<void> {
    const at = this.#at;
    await this.#open('/account/passkeys', 'no passkeys');
    await this.#open('/account/passkeys/offer', 'passkey, offered');
    await at.goTo('/account/passkeys');
    if (!at.hasDevice) return;
    await this.#press('page.passkeys.add_sign_in', 'passkey, added first');
    await this.#openResult('/account/passkeys?done=added', 'passkey, added');
    await at.page.getByText(at.say('page.passkeys.change')).click();
    await at.type({ name: 'Ada’s phone' });
    await this.#press('page.passkeys.rename', 'passkey, renamed');
    const values = { name: 'Ada’s phone' };
    await this.#press('page.passkeys.remove_one', 'passkey, to be removed', values);
    await this.#press('page.passkeys.remove', 'passkey, removed');
  }

  /** Undoes the factors and the new address, which ends the password, and sets another one. */
  async #undos(address: string, undo: string | undefined): Promise<void> {
    const at = this.#at;
    if (undo !== undefined) {
      await this.#open(undo, 'undo of factors');
      await this.#press('page.factor_undo.act', 'factors, undone');
    }
    if (address !== this.#email) {
      this.#wait();
      await this.#open(await this.#site.linkTo(this.#email, '/account/email/undo'), 'undo of the address');
      await this.#press('page.email_undo.act', 'address, undone');
    }
    this.#wait(20);
    await at.goTo('/forgot');
    await at.type({ email: this.#email });
    await at.press('page.forgot.act');
    await at.goTo(await this.#site.linkTo(this.#email, '/reset'));
    await at.type({ new_password: goodPassword });
    await at.press('page.reset.act');
  }

  async #closing(email: string): Promise<void> {
    const at = this.#at;
    await at.signIn(email);
    await at.goTo('/account/data');
    await at.page.locator('input[name=sure]').check();
    await this.#press('page.data.close_act', 'closed');
    await this.#open(await this.#site.linkTo(email, '/account/delete/undo'), 'undo of closing');
    await this.#press('page.deletion_undo.act', 'account, kept');
  }
}

/** Visits the pages of a service that requires a second factor. */
export async function tourOfSetUp(at: Visitor, look: Look): Promise<void> {
  await at.signUp(freshEmail());
  await look('set up');
  if (!hasFeature('totp')) return;
  await at.press('page.totp.title');
  await look('set up, no apps');
  await at.press('page.totp.add');
  await look('set up, seed');
}

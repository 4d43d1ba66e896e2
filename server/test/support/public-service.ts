// The service in public mode, in the process, with a box for its mails.
import assert from 'node:assert/strict';
import type { Environment } from '../../src/config/read-options.ts';
import type { OutgoingMail } from '../../src/mail/smtp.ts';
import type { EngineName } from './engines.ts';
import { mailBox, tokenIn } from './mail-box.ts';
import { freshEmail } from './person.ts';
import { send, type ContractRequest, type Fields, type Reply } from './request.ts';
import { serviceOn, testService, type ServiceOverrides, type TestService } from './service.ts';

export const publicMode: Environment = {
  PUBLIC_URL: 'https://accounts.test',
  SMTP_URL: 'smtp://127.0.0.1:9', // not contacted when a mail box replaces it
  MAIL_FROM: 'Accounts <accounts@accounts.test>',
};

export const sessionCookie = '__Host-session_id';
export const deviceCookie = '__Host-device';
export const pendingCookie = '__Host-pending_login';

/** A user who registered, confirmed the address and logged in. */
export interface Member {
  readonly id: number;
  readonly email: string;
  readonly password: string;
  readonly sessionId: string;
  /** The device cookie of the browser with which they logged in. */
  readonly deviceToken: string;
}

export class PublicService {
  readonly service: TestService;
  readonly mails: readonly OutgoingMail[];

  private constructor(service: TestService, mails: readonly OutgoingMail[]) {
    this.service = service;
    this.mails = mails;
  }

  static async start(
    engine: EngineName,
    environment: Environment = {},
    overrides: Omit<ServiceOverrides, 'mailTransport'> = {},
  ): Promise<PublicService> {
    const { transport, mails } = mailBox();
    const service = await testService(
      engine,
      { ...publicMode, ...environment },
      { ...overrides, mailTransport: transport },
    );
    return new PublicService(service, mails);
  }

  /** Another service on the same database and clock, with other options. */
  async reconfigured(environment: Environment): Promise<PublicService> {
    const { transport, mails } = mailBox();
    const options = { ...publicMode, ...environment };
    return new PublicService(await serviceOn(this.service, options, { mailTransport: transport }), mails);
  }

  close(): Promise<void> {
    return this.service.close();
  }

  send(request: ContractRequest): Promise<Reply> {
    return send(this.service.app, request);
  }

  post(path: string, fields: Fields, headers: ContractRequest['headers'] = {}): Promise<Reply> {
    return this.send({ method: 'POST', path, fields, headers });
  }

  put(path: string, fields: Fields): Promise<Reply> {
    return this.send({ method: 'PUT', path, fields });
  }

  logIn(email: string, password: string, deviceToken?: string): Promise<Reply> {
    const headers = deviceToken === undefined ? {} : { cookie: `${deviceCookie}=${deviceToken}` };
    return this.post('/sessions', { email, password }, headers);
  }

  /** Status of the profile for this session. */
  async profile(sessionId: string): Promise<number> {
    const cookie = `${sessionCookie}=${sessionId}`;
    return (await this.send({ method: 'GET', path: '/profile', headers: { cookie } })).status;
  }

  /** Sends the mails that wait in the outbox. */
  async deliver(): Promise<void> {
    await this.service.core.outbox.deliver();
  }

  /** The newest token that was mailed to the address. */
  async tokenFor(email: string): Promise<string> {
    await this.deliver();
    const texts = this.mails.filter(({ to }) => to === email).map(({ text }) => tokenIn(text));
    const token = texts.findLast((text) => text !== undefined);
    assert.ok(token !== undefined, `no token was mailed to ${email}`);
    return token;
  }

  /** Requests a reset token and reads it from the mail. */
  async resetToken(email: string): Promise<string> {
    assert.equal((await this.post('/reset_password', { email })).status, 200);
    return this.tokenFor(email);
  }

  reset(email: string, token: string, password: string): Promise<Reply> {
    return this.put('/reset_password', { email, reset_token: token, new_password: password });
  }

  /** Confirms an address as a program without cookies does: with the newest token and the password of the registration. */
  async confirm({ email, password }: Pick<Member, 'email' | 'password'>): Promise<Reply> {
    return this.put('/email_verification', { email, token: await this.tokenFor(email), password });
  }

  /** A user who has registered and not confirmed the address. */
  async newcomer(): Promise<Pick<Member, 'id' | 'email' | 'password'>> {
    const email = freshEmail();
    const password = `seven otters of ${crypto.randomUUID()}`;
    const reply = await this.post('/users', { email, password });
    assert.equal(reply.status, 200, reply.text);
    return { id: await this.idOf(email), email, password };
  }

  async member(): Promise<Member> {
    const newcomer = await this.newcomer();
    const { email, password } = newcomer;
    const confirmed = await this.confirm(newcomer);
    assert.equal(confirmed.status, 200, confirmed.text);
    const login = await this.logIn(email, password);
    const sessionId = cookieOf(login, sessionCookie);
    const deviceToken = cookieOf(login, deviceCookie);
    assert.ok(sessionId !== undefined && deviceToken !== undefined, login.text);
    return { ...newcomer, sessionId, deviceToken };
  }

  async idOf(email: string): Promise<number> {
    const { database } = this.service.core;
    const rows = await database.query((sql) =>
      sql.selectFrom('users').select('id').where('email', '=', email),
    );
    return rows[0]?.id ?? Number.NaN;
  }
}

/** The value that a reply sets for a cookie; `undefined` if it sets none, or clears it. */
export function cookieOf({ cookies }: Reply, name: string): string | undefined {
  for (const cookie of cookies) if (cookie.startsWith(`${name}=`)) return /^[^=]*=([^;]+)/.exec(cookie)?.[1];
  return undefined;
}

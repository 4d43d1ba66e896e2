// Signs in with a mailed link or code. It counts as one factor like the password and never as the second one: access to
// the mailbox also suffices to reset the password.
import type { EmailAddress } from '../../user/email-address.ts';
import { lockUser, lockUserByEmail } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../../identity/context.ts';
import type { SignIn, Login } from '../../identity/sign-in/sign-in.ts';
import { tokenKind } from '../../identity/token/kinds.ts';
import type { OneTimeTokens } from '../../identity/token/one-time-token.ts';
import { emailSignInEvents, signInMail, signInMinutes } from './event.ts';

/** The token that signs a user in. */
export const emailSignInKind = tokenKind({
  kind: 'sign_in',
  prefix: 'sgn',
  minutes: signInMinutes,
  page: { path: '/sign-in/link', name: 'sign_in_mail', requestPath: '/sign-in', codePath: '/sign-in/code' },
  route: '/sessions/email',
  refusalEvent: emailSignInEvents.sign_in_token_refused,
  namesAccount: true,
});

export class EmailSignIn {
  readonly #context: AuthContext;
  readonly #tokens: OneTimeTokens;
  readonly #signIn: SignIn;

  constructor(context: AuthContext, { tokens, signIn }: { tokens: OneTimeTokens; signIn: SignIn }) {
    this.#context = context;
    this.#tokens = tokens;
    this.#signIn = signIn;
  }

  /**
   * Mails a link and a code to the user of this address. An unknown address gets the same reply after the same work.
   */
  async request(address: EmailAddress, source: ClientSource): Promise<void> {
    const { db, events } = this.#context;
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      const recipient = await events.send(tx, signInMail, {
        user: user !== undefined && this.#isOpen(user) ? user : undefined,
        facts: (to, grant) => this.#tokens.issueRequested(tx, to, { kind: emailSignInKind }, source, grant),
        source,
      });
      const { sign_in_requested, sign_in_request_refused } = emailSignInEvents;
      const event = recipient === undefined ? sign_in_request_refused : sign_in_requested;
      await events.emit(tx, event, { user, source });
    });
  }

  /** An unconfirmed address may have been registered by a stranger, who would know the password. */
  #isOpen({ disabledAt, emailVerifiedAt }: User): boolean {
    return disabledAt === null && (emailVerifiedAt !== null || !this.#context.emailConfirmation);
  }

  /**
   * Consumes the token or its code and signs the user in; `undefined` if the user may not sign in any more.
   * @throws {Problem} token_invalid, too_many_attempts.
   */
  async redeem(email: EmailAddress, presented: string, source: ClientSource): Promise<Login | undefined> {
    const live = await this.#tokens.find(emailSignInKind, presented, { email }, source);
    const signInContext = await this.#signIn.signInContextOf(live.user, source);
    return this.#context.db.transaction(async (tx) => {
      const user = await lockUser(tx, live.user.id);
      await this.#tokens.consume(tx, live);
      if (user !== undefined && !this.#isOpen(user)) return undefined;
      return user && this.#signIn.admit(tx, user, { factor: 'email' }, signInContext);
    });
  }
}

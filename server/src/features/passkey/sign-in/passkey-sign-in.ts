// Registers and signs in with a passkey alone, for the JSON routes and the pages.
import { nameDevice } from '../../../kit/device.ts';
import { Problem } from '../../../kit/problem.ts';
import type { EmailAddress } from '../../../user/email-address.ts';
import type { User } from '../../../user/user.ts';
import type { AuthContext, ClientSource } from '../../../identity/context.ts';
import type { Accounts } from '../../../identity/account/account.ts';
import { requireSignUpOpen } from '../../../identity/account/registration.ts';
import type { Login, SignIn } from '../../../identity/sign-in/sign-in.ts';
import { registrationOf } from '../challenge.ts';
import type { Passkeys } from '../passkey.ts';
import '../../../identity/factor/problem.ts';

export interface PasskeySignInParts {
  readonly accounts: Accounts;
  readonly context: Pick<AuthContext, 'isSignUpOpen'>;
  readonly signIn: SignIn;
  readonly passkeys: Passkeys;
}

/** A registration with a passkey. */
export interface PasskeyRegistration {
  readonly address: EmailAddress;
  /** JSON text of the credential that the browser created. */
  readonly credential: string;
  readonly name?: string | undefined;
}

export class PasskeySignIn {
  readonly #parts: PasskeySignInParts;

  constructor(parts: PasskeySignInParts) {
    this.#parts = parts;
  }

  /**
   * Adds a user with a passkey and without a password.
   * @throws {Problem} sign_up_closed.
   * @throws {ValueError} if the address is taken.
   * @throws {Problem} factor_invalid, invalid_request; the same for a known and an unknown address.
   */
  async register({ address, credential, name }: PasskeyRegistration, source: ClientSource): Promise<User> {
    const { accounts, context, passkeys } = this.#parts;
    requireSignUpOpen(context);
    const verified = await passkeys.verifyCreation(credential, registrationOf(address.key));
    await passkeys.claim(verified);
    const naming = { name, device: nameDevice(source.device) };
    const authenticator = {
      factor: passkeys.name,
      credential: passkeys.describeRegistered(verified, naming),
    };
    return accounts.signUp(address, authenticator, source);
  }

  /** Returns the options to create the passkey of a registration. @throws {Problem} sign_up_closed. */
  async registrationOptions({ text, key }: EmailAddress): Promise<object> {
    const { context, passkeys } = this.#parts;
    requireSignUpOpen(context);
    return passkeys.createOptions({ email: text, use: registrationOf(key) }, 'passkey');
  }

  /**
   * Signs in the user who has just registered with a passkey: creating it verified the user as well. `undefined` if the
   * user may not sign in any more.
   */
  enterRegistered(user: User, source: ClientSource): Promise<Login | undefined> {
    const { passkeys, signIn } = this.#parts;
    return signIn.admitVerified(user, { factor: passkeys.name, isMultiFactor: true }, source);
  }

  /**
   * Signs in with a browser's answer.
   * @throws {Problem} factor_invalid if the answer is wrong, or the user may not sign in.
   */
  async signIn(credential: string, source: ClientSource): Promise<{ user: User; login: Login }> {
    const { passkeys, signIn } = this.#parts;
    const { user, verified } = await passkeys.verifySignIn(credential);
    const { consume, isMultiFactor } = verified ?? {};
    const login = await signIn.enter(user, { factor: passkeys.name, isMultiFactor, consume }, source);
    if (user === undefined || login === undefined) throw new Problem('factor_invalid');
    return { user, login };
  }
}

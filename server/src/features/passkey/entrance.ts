// Signing in and registering with a passkey alone: what pages and programs both do.
import { nameDevice } from '../../kit/device.ts';
import { Problem } from '../../kit/problem.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import type { User } from '../../user/user.ts';
import type { ClientSource } from '../../identity/context.ts';
import type { Accounts } from '../../identity/account/account.ts';
import type { Login, SignIn } from '../../identity/sign-in/sign-in.ts';
import { registrationOf } from './challenge.ts';
import type { Passkeys } from './passkey.ts';
import '../../identity/factor/problem.ts';

export interface PasskeyEntranceParts {
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly passkeys: Passkeys;
}

/** What a browser created for a new account. */
export interface NewAccount {
  readonly address: EmailAddress;
  readonly credential: string;
  readonly name?: string | undefined;
}

export class PasskeyEntrance {
  readonly #parts: PasskeyEntranceParts;

  constructor(parts: PasskeyEntranceParts) {
    this.#parts = parts;
  }

  /**
   * Adds a user with a passkey and without a password.
   * @throws {ValueError} if the address is taken.
   * @throws {Problem} factor_invalid, invalid_request: for a known and an unknown address alike.
   */
  async register({ address, credential, name }: NewAccount, source: ClientSource): Promise<User> {
    const { accounts, passkeys } = this.#parts;
    const verified = await passkeys.verifyCreation(credential, registrationOf(address.key));
    await passkeys.claim(verified);
    const naming = { name, device: nameDevice(source.device) };
    return accounts.registerWith(
      address,
      (tx, userId) => passkeys.attach(tx, userId, verified, naming),
      source,
    );
  }

  /**
   * Signs in with the answer of a browser.
   * @throws {Problem} factor_invalid.
   */
  async signIn(credential: string, source: ClientSource): Promise<{ user: User; login: Login }> {
    const { passkeys, signIn } = this.#parts;
    const { user, consume } = await passkeys.verifySignIn(credential);
    const login = await signIn.enter(user, { factor: 'passkey', consume }, source);
    if (user === undefined || login === undefined) throw new Problem('factor_invalid');
    return { user, login };
  }
}

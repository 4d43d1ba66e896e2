// Coming in by a passkey alone: an account that is made with one, and signing in. What pages and programs ask for alike.
import { nameDevice } from '../../kit/device.ts';
import { Problem } from '../../kit/problem.ts';
import type { Login } from '../../identity/sign-in/sign-in.ts';
import type { Auth } from '../../library/auth.ts';
import type { ClientSource } from '../../identity/context.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import type { User } from '../../user/user.ts';
import { registrationOf } from './challenge.ts';
import type { Passkeys } from './passkey.ts';
import '../../identity/factor/problem.ts';

/** What this needs of the service. */
interface Entrance {
  readonly auth: Auth;
  readonly passkeys: Passkeys;
}

/** What a browser made for a new account. */
export interface NewAccount {
  readonly address: EmailAddress;
  readonly credential: string;
  readonly name?: string | undefined;
}

/**
 * Adds a user with a passkey and no password.
 * @throws {ValueError} when the address is taken.
 * @throws {Problem} factor_invalid, invalid_request: whatever the address.
 */
export async function registerWithPasskey(
  { auth, passkeys }: Entrance,
  { address, credential, name }: NewAccount,
  source: ClientSource,
): Promise<User> {
  const verified = await passkeys.verifyCreation(credential, registrationOf(address.key));
  await passkeys.claim(verified);
  const naming = { name, device: nameDevice(source.device) };
  return auth.registerWith(
    address.text,
    (tx, userId) => passkeys.attach(tx, userId, verified, naming),
    source,
  );
}

/**
 * Signs in with what a browser answered.
 * @throws {Problem} factor_invalid.
 */
export async function signInWithPasskey(
  { auth, passkeys }: Entrance,
  credential: string,
  source: ClientSource,
): Promise<{ user: User; login: Login }> {
  const { user, consume } = await passkeys.verifySignIn(credential);
  const login = await auth.signIn.enter(user, { factor: 'passkey', consume }, source);
  if (user === undefined || login === undefined) throw new Problem('factor_invalid');
  return { user, login };
}

// Fields of requests and replies that several routes have, and what a request costs of its address's limit.
import Type from 'typebox';
import { maxPasswordLength } from '../kit/password-length.ts';

/** Characters of an e-mail field: the longest address and some white space around it. */
const emailCharacters = 300;
/** Characters of a token field: far more than a token has. */
const tokenCharacters = 300;
/** UTF-16 code units of a password field; the rule counts code points. */
const passwordCharacters = maxPasswordLength * 2;
/** No NUL: it ends a string in some stores and hashes, and PostgreSQL refuses it in text. */
const noNul = '^[^\\u0000]*$';

export const email = Type.String({
  minLength: 1,
  maxLength: emailCharacters,
  pattern: noNul,
  description: 'Email address',
});
export const password = Type.String({
  minLength: 1,
  maxLength: passwordCharacters,
  pattern: noNul,
  description: 'Password',
});
export const token = Type.String({
  minLength: 1,
  maxLength: tokenCharacters,
  pattern: noNul,
  description: 'One-time token, or the code from the same email in the browser that requested it',
});

/** Handle of a thing in a path. Bounded far above what one has: what is none of ours is told as not found. */
export const handle = Type.String({ maxLength: 300, pattern: noNul });

/** Characters of a proof field: a WebAuthn answer with its attestation is the longest. */
const proofCharacters = 12_000;
export const proof = Type.String({
  minLength: 1,
  maxLength: proofCharacters,
  pattern: noNul,
  description: 'The password, a code, or the JSON text of a WebAuthn credential',
});

const labelCharacters = 60;
/** How a person calls a device or an app. */
export const factorLabel = Type.String({
  minLength: 1,
  maxLength: labelCharacters,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'Name that the user gives it',
});

/** The same, of what is typed on a page: without control characters, and cut; `undefined` where nothing is left. */
export function toFactorLabel(typed: string | undefined): string | undefined {
  const label = (typed ?? '')
    .replaceAll(/\p{Cc}/gu, '')
    .trim()
    .slice(0, labelCharacters);
  return label === '' ? undefined : label;
}

/** Units of the limit by address: of a request that hashes a password, and of one that sends a mail. */
export const hashCost = 3;
export const mailCost = 5;

export const Credentials = Type.Object({ email, password });
export const Message = Type.Object({ message: Type.String() });
/** What a login says; with the names of factors where one is owed. */
export const LoginReply = Type.Object({
  email: Type.String(),
  message: Type.String(),
  factors: Type.Optional(Type.Array(Type.String())),
});
export const EmailMessage = Type.Object({ email: Type.String(), message: Type.String() });

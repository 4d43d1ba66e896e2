// Declares the schemas of fields that several routes share.
import Type from 'typebox';
import { maxEmailUnits, maxPasswordUnits } from '../kit/text/text-length.ts';

/** Maximum length of a token field: more than any token. */
const tokenCharacters = 300;
/** Rejects NUL: it ends a string in some libraries, and PostgreSQL rejects it in text. */
const noNul = '^[^\\u0000]*$';

export const email = Type.String({
  minLength: 1,
  maxLength: maxEmailUnits,
  pattern: noNul,
  description: 'Email address',
});
export const password = Type.String({
  minLength: 1,
  maxLength: maxPasswordUnits,
  pattern: noNul,
  description: 'Password',
});
export const newPassword = Type.String({ ...password, description: 'New password' });
/** Password of a signed-in user. */
export const currentPassword = Type.String({
  ...password,
  description: 'Current password; an account without one needs recent authentication instead',
});
export const token = Type.String({
  minLength: 1,
  maxLength: tokenCharacters,
  pattern: noNul,
  description: 'One-time token, or the code from the same email in the browser that requested it',
});

/** Handle of a resource in a path. The limit is far above real handles, so that an unknown one answers `not_found`. */
export const handle = Type.String({
  maxLength: 300,
  pattern: noNul,
  description: 'Id, as the list shows it',
});

/** Maximum length of a proof field in UTF-16 code units: a WebAuthn response with its attestation is the longest. */
export const maxProofUnits = 12_000;
export const proof = Type.String({
  minLength: 1,
  maxLength: maxProofUnits,
  pattern: noNul,
  description: 'The password, a code, or the JSON text of a WebAuthn credential',
});

const labelCharacters = 60;
/** The name that a user gives to a factor, such as a device or an app. */
export const factorLabel = Type.String({
  minLength: 1,
  maxLength: labelCharacters,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'Name that the user gives it',
});

/**
 * Normalizes a factor label that was typed on a page: removes control characters and truncates it; `undefined` if it is
 * empty.
 */
export function toFactorLabel(typed: string | undefined): string | undefined {
  const label = (typed ?? '')
    .replaceAll(/\p{Cc}/gu, '')
    .trim()
    .slice(0, labelCharacters);
  return label === '' ? undefined : label;
}

export const Credentials = Type.Object({ email, password });
export const Message = Type.Object({ message: Type.String() });
/** Reply of a login; `factors` has the names of the second factors if one is required. */
export const LoginReply = Type.Object({
  email: Type.String(),
  message: Type.String(),
  factors: Type.Optional(Type.Array(Type.String())),
});
export const EmailMessage = Type.Object({ email: Type.String(), message: Type.String() });

import { option } from '../../../config/option.ts';
import { flag, OptionFault } from '../../../config/parse.ts';

/** Claims with a meaning of their own, which metadata must not replace (RFC 7519 §4.1, OpenID Connect Core §2, §5.1). */
const reserved = new Set(
  'iss sub aud exp nbf iat jti azp nonce auth_time at_hash c_hash acr amr sid email email_verified name picture locale scope client_id cnf'.split(
    ' ',
  ),
);

/** Parses names of claims. */
function claimNames(value: string): readonly string[] {
  const names = value.split(/[\s,]+/).filter((name) => name !== '');
  for (const name of names) {
    if (!/^[\w.:/-]{1,100}$/.test(name))
      throw new OptionFault(`must be names such as department,roles; ${name} is not a name`);
    if (reserved.has(name))
      throw new OptionFault(`must be names of your own; ${name} has a meaning in OpenID Connect`);
  }
  return names;
}

export const engineOptions = {
  oidcClaims: option({
    env: 'OIDC_CLAIMS',
    parse: claimNames,
    says: "Members of the users' public metadata that applications receive as claims, with the scope `profile`; for example `department,roles`.",
    default: (): readonly string[] => [],
  }),
  oidcAssumeEmailVerified: option({
    env: 'OIDC_ASSUME_EMAIL_VERIFIED',
    parse: flag,
    says: 'Tells applications that every address is verified, including unconfirmed ones. For development, and where the operator adds the accounts.',
    default: () => false,
  }),
} as const;

// The fields of a resource, as a file or a command gives them.
import { standardScopes, type NewResource, type SigningAlg } from './client.ts';
import {
  displayName,
  Faults,
  field,
  integer,
  oneOf,
  readFields,
  scopeList,
  shown,
  type Input,
} from './field.ts';
import { identifierFault } from './uri.ts';

/** A JWT cannot be revoked: this bounds how long one of an ended session is accepted. */
const maxJwtSeconds = 300;
const maxOpaqueSeconds = 3600;
const defaultAlg: SigningAlg = 'ES256';
const defaultSeconds: Readonly<Record<NewResource['tokenFormat'], number>> = {
  opaque: 600,
  jwt: maxJwtSeconds,
};

/** The fields of a resource in a file, and with dashes the options of `bienvenue resource add`. */
export const resourceFields = {
  name: field({ read: displayName, says: 'Name of the API, shown to users.', defaultSays: 'required' }),
  scopes: field({ read: scopeList, says: 'Its scopes, for example `orders:read`.', defaultSays: 'none' }),
  token_format: field<NewResource['tokenFormat']>({
    read: oneOf('opaque', 'jwt'),
    says: '`opaque`: the API asks the introspection endpoint, and a token that ended is refused with the next request. `jwt`: the API verifies tokens itself (RFC 9068), and one that ended is accepted until it expires.',
    defaultSays: '`opaque`',
  }),
  alg: field<SigningAlg>({
    read: oneOf('ES256', 'RS256'),
    says: 'Algorithm of its JWTs: `ES256` or `RS256`.',
    defaultSays: '`ES256`',
  }),
  token_seconds: field({
    read: integer(30, maxOpaqueSeconds),
    says: `Lifetime of its access tokens, from 30 to ${maxOpaqueSeconds}; ${maxJwtSeconds} at most for \`jwt\`.`,
    defaultSays: '600, or 300 for `jwt`',
  }),
} as const;

/**
 * Returns a resource that works.
 * @param input `identifier` and its fields.
 * @throws {Problem} invalid_request that lists every fault.
 */
export function requireResource({ identifier, ...input }: Input): NewResource {
  const faults = new Faults();
  const uri = typeof identifier === 'string' ? identifier : '';
  const clause = identifierFault(uri);
  if (clause !== undefined) faults.add('identifier', `is ${shown(uri)}, which ${clause}`);
  const values = readFields(resourceFields, input, faults);
  if (values.name === undefined && !faults.has('name')) faults.add('name', 'is missing');
  const { token_format: tokenFormat = 'opaque' } = values;
  const tokenSeconds = values.token_seconds ?? defaultSeconds[tokenFormat];
  if (tokenFormat === 'jwt' && tokenSeconds > maxJwtSeconds)
    faults.add('token_seconds', `must be ${maxJwtSeconds} at most for jwt, because a JWT cannot be revoked`);
  for (const scope of values.scopes ?? [])
    if (standardScopes.includes(scope))
      faults.add(
        'scopes',
        `has ${scope}, which the provider itself defines: choose a name such as api:${scope}`,
      );
  if (tokenFormat === 'opaque' && values.alg !== undefined)
    faults.add('alg', 'has no effect: only tokens of the format jwt are signed');
  faults.throwIfAny('resource');
  return {
    identifier: uri,
    name: values.name ?? '',
    scopes: values.scopes ?? [],
    tokenFormat,
    alg: values.alg ?? defaultAlg,
    tokenSeconds,
  };
}

/** Returns the fields from which a resource was made. */
export function fieldsOfResource(resource: NewResource): Input {
  const { identifier, name, scopes, tokenFormat, alg, tokenSeconds } = resource;
  return {
    identifier,
    name,
    ...(scopes.length > 0 && { scopes }),
    token_format: tokenFormat,
    ...(tokenFormat === 'jwt' && { alg }),
    token_seconds: tokenSeconds,
  };
}

/** Returns the fields that a change starts from, without the defaults that follow from the format. */
export function chosenFieldsOf(resource: NewResource): Input {
  const { alg, token_seconds: seconds, ...fields } = fieldsOfResource(resource);
  return {
    ...fields,
    ...(alg !== undefined && alg !== defaultAlg && { alg }),
    ...(seconds !== defaultSeconds[resource.tokenFormat] && { token_seconds: seconds }),
  };
}

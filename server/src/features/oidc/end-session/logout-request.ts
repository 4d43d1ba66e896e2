// Reads a logout request of an application (OpenID Connect RP-Initiated Logout 1.0 §2).
import type Provider from 'oidc-provider';
import { addressOf } from '../../../http/markup.ts';
import { paths } from '../../../page/paths.ts';
import { faultOfState } from '../session/state-limit.ts';

/** Parameters of the request that are used. */
const names = ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'ui_locales'] as const;

/** The parameters, as a query has them. */
export type LogoutParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The ID token that an application presents: an expired one too, but signed by a key of the service. */
interface PresentedIdToken {
  readonly clientId: string;
  readonly subject: string;
  readonly sid?: string;
}

export interface LogoutRequest {
  /** `undefined` without a valid ID token: the person is asked. */
  readonly idToken: PresentedIdToken | undefined;
  /** Name of the application, if it is known. */
  readonly clientName: string | undefined;
  /** Where the browser continues: a URI that the application registered, with the `state`. */
  readonly target: string | undefined;
}

/** What the page asks about. */
export interface LogoutQuestion {
  readonly clientName?: string | undefined;
  readonly target?: string | undefined;
}

/** Why a logout request is refused. */
export interface LogoutFault {
  readonly error: string;
  readonly description: string;
  readonly client?: { readonly id: string; readonly name: string | undefined };
  /** The URI that is not registered. */
  readonly uri?: string;
}

type Client = NonNullable<Awaited<ReturnType<Provider['Client']['find']>>>;

/** Reads a logout request. Returns a fault for one that no page can correct. */
export async function readLogoutRequest(
  provider: Provider,
  parameters: LogoutParameters,
): Promise<LogoutRequest | LogoutFault> {
  const repeated = names.find((name) => Array.isArray(parameters[name]));
  if (repeated !== undefined) {
    const description = `'${repeated}' parameter must not be provided twice`; // as the engine says
    return { error: 'invalid_request', description };
  }
  const {
    id_token_hint: hint,
    client_id: givenId,
    post_logout_redirect_uri: uri,
    state,
  } = parameters as Readonly<Partial<Record<(typeof names)[number], string>>>; // none is repeated
  const audience = hint === undefined ? undefined : audienceOf(hint);
  if (givenId !== undefined && audience !== undefined && givenId !== audience)
    return { error: 'invalid_request', description: 'client_id does not match the id_token_hint' };
  const fault = faultOfState(state);
  if (fault !== undefined) return { error: 'invalid_request', description: fault };
  const clientId = givenId ?? audience;
  const named = clientId === undefined ? undefined : await provider.Client.find(clientId);
  if (givenId !== undefined && named === undefined)
    return { error: 'invalid_client', description: 'client_id is not registered' };
  const idToken =
    hint === undefined || named === undefined ? undefined : await validIdToken(provider, hint, named);
  // Nothing of an ID token is used that is not ours, also not its client (RP-Initiated Logout 1.0 §4).
  const client = givenId === undefined && idToken === undefined ? undefined : named;
  const clientName = client?.clientName;
  if (client !== undefined && uri !== undefined && !client.postLogoutRedirectUriAllowed(uri)) {
    const description = 'post_logout_redirect_uri is not registered';
    return { error: 'invalid_request', description, client: { id: client.clientId, name: clientName }, uri };
  }
  return {
    idToken,
    clientName,
    // Without a client the URI is not registered.
    target: client === undefined || uri === undefined ? undefined : withState(uri, state),
  };
}

/** Returns the client for which an ID token says that it was issued. Its signature is checked later. */
function audienceOf(jwt: string): string | undefined {
  try {
    const [, payload = ''] = jwt.split('.');
    const { aud } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { aud?: unknown };
    const [first] = [aud].flat();
    return typeof first === 'string' ? first : undefined;
  } catch {
    return undefined;
  }
}

/** `IdToken.validate` of the engine, which its types do not declare. It ignores `exp`. */
interface IdTokenModel {
  validate(
    jwt: string,
    client: Client,
  ): Promise<{ readonly payload: { readonly sub: string; readonly sid?: string; readonly events?: object } }>;
}

async function validIdToken(
  provider: Provider,
  hint: string,
  client: Client,
): Promise<PresentedIdToken | undefined> {
  const { IdToken } = provider as unknown as { readonly IdToken: IdTokenModel };
  try {
    const { payload } = await IdToken.validate(hint, client);
    const { sub: subject, sid, events } = payload;
    if (events !== undefined) return undefined; // a logout token, which the same key signs
    return { clientId: client.clientId, subject, ...(sid !== undefined && { sid }) };
  } catch {
    return undefined; // not signed by a key of the service, or by one that was removed
  }
}

function withState(uri: string, state: string | undefined): string {
  if (state === undefined) return uri;
  const url = new URL(uri);
  url.searchParams.set('state', state);
  return url.href;
}

/** Returns where a browser continues after the end of its session. */
export function afterLogout(target: string | undefined): string {
  return target ?? addressOf(paths.signIn, { done: 'signed_out' });
}

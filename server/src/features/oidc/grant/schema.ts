// The tables of what the provider has issued: grants, tokens, interactions, and how sessions are seen by clients.
import type { Instant, SealedColumn } from '../../../db/schema.ts';

/** The part of a session that clients know. Made when a session first reaches the provider. */
interface ProviderSessionTable {
  /** Random; stays when the session gets a new handle. */
  uid: string;
  session_id: string;
  created_at: Instant;
}

/** A client in which a session is signed in. */
interface SessionClientTable {
  uid: string;
  client_id: string;
  /** Session ID of OpenID Connect Back-Channel Logout 1.0 §2.1: unique, and another one for each client. */
  sid: string;
  /** Handle of the grant that the session uses for the client. */
  grant_id: string | null;
}

/** What a user has granted to a client. Tokens are issued under a grant and end with it. */
interface GrantTable {
  /** Random handle. */
  id: string;
  user_id: number;
  client_id: string;
  /** 1 if it outlives the session (`offline_access`), otherwise 0. */
  outlives_session: number;
  /** The members of the grant, as JSON. */
  payload: string;
  created_at: Instant;
  expires_at: Instant;
}

/** Codes and tokens. Tokens in JWT form are not stored. */
interface IssuedTokenTable {
  /** SHA-256 of kind and token, base64url. */
  id: string;
  /** Name of the model, such as `AccessToken`. */
  kind: string;
  grant_id: string | null;
  user_id: number | null;
  client_id: string | null;
  /** Set if the token ends with the session. */
  session_uid: string | null;
  /** SHA-256 of the code that a person types, base64url. */
  user_code: string | null;
  /** The members of the token without the token itself, as JSON; those of a pushed request are in `sealed`. */
  payload: string;
  /**
   * Encrypted: the token, if the engine needs it to save the row again; the successor of a used refresh token; the
   * members of a pushed request.
   */
  sealed: string | null;
  consumed_at: Instant | null;
  /** How often a used refresh token was answered with its successor. */
  replays: number;
  created_at: Instant;
  expires_at: Instant;
}

/** Authorization requests that wait for a person. */
interface InteractionTable {
  /** SHA-256 of the id in the cookie, base64url. */
  id: string;
  sealed: string;
  created_at: Instant;
  expires_at: Instant;
}

/** Identifiers that may be used once: of DPoP proofs and client assertions. */
interface UsedIdentifierTable {
  id: string;
  expires_at: Instant;
}

/** What a user has allowed a client. It outlives the grants, so that the person is not asked again. */
interface ConsentTable {
  user_id: number;
  client_id: string;
  /** JSON list of what was allowed: a scope, `claim` and the name of a claim, or a resource and one of its scopes. */
  scopes: string;
  created_at: Instant;
  last_used_at: Instant;
}

export interface GrantTables {
  oidc_sessions: ProviderSessionTable;
  oidc_session_clients: SessionClientTable;
  oidc_grants: GrantTable;
  oidc_tokens: IssuedTokenTable;
  oidc_interactions: InteractionTable;
  oidc_used: UsedIdentifierTable;
  oidc_consents: ConsentTable;
}

export const sealedToken = {
  table: 'oidc_tokens',
  column: 'sealed',
  purpose: 'oidc-token',
  isTiedToRow: true,
} satisfies SealedColumn;
export const sealedInteraction = {
  table: 'oidc_interactions',
  column: 'sealed',
  purpose: 'oidc-interaction',
  isTiedToRow: true,
} satisfies SealedColumn;

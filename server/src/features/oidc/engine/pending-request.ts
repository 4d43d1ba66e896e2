// An authorization request that waits for a person: what it asks for, and how it continues.
import type Provider from 'oidc-provider';
import type { TextCipher } from '../../../kit/keyring.ts';
import type { Database } from '../../../db/database.ts';
import { oidcPaths } from './paths.ts';
import { requestExpired } from './problem.ts';
import { findClient } from '../client/store.ts';
import { isRedirectRegistered } from '../client/uri.ts';
import { findInteraction } from '../grant/interaction-store.ts';
import { findConsent, saveConsent } from '../grant/consent-store.ts';
import { namesOf, type RequestedAccess, accessOf } from '../session/requested-access.ts';
import type { Authentication } from '../session/session-view.ts';
import { InteractionAddresses } from '../token/interaction-address.ts';
import { storedId } from '../token/token-form.ts';
import { Unit, withUnit } from '../token/unit.ts';

/** The client of a request, as people see it. */
export interface AskingClient {
  readonly id: string;
  readonly name: string;
  readonly isFirstParty: boolean;
  readonly initiateLoginUri?: string | undefined;
}

/** A request that waits. */
export interface PendingRequest {
  readonly uid: string;
  /** `login`, `create`, `select_account`, `access` or `consent`. */
  readonly prompt: string;
  readonly reasons: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly client: AskingClient;
  /** Path and query of its page. */
  readonly address: string;
  /** The session when the request came (`SessionView.uidOf`), if any. The request continues in no other one. */
  readonly sessionUid: string | undefined;
  /** What it asks for. */
  readonly access: RequestedAccess;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** The request and the reply of a browser. */
export type Browser = Readonly<Parameters<Provider['createContext']>>;

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

export interface PendingRequestParts {
  readonly provider: () => Promise<Provider>;
  readonly db: Database;
  readonly clock: () => number;
  /** Encrypts the name of the client in the address of a page. */
  readonly cipher: TextCipher;
}

/** Seconds for which a request that begins again can be opened. The browser is redirected to it. */
const restartSeconds = 60;

/** The engine's model, which its types do not declare. */
interface PushingProvider {
  readonly PushedAuthorizationRequest: new (members: { readonly request: string }) => {
    save(seconds: number): Promise<string>;
  };
}

/** Finds pending requests and answers them. */
export class PendingRequests {
  readonly #parts: PendingRequestParts;
  readonly #addresses: InteractionAddresses;

  constructor(parts: PendingRequestParts) {
    this.#parts = parts;
    this.#addresses = new InteractionAddresses(oidcPaths.interaction, parts.cipher, parts.clock);
  }

  /** Returns path and query of the page of a request with these parameters. */
  addressOf(uid: string, parameters: Readonly<Record<string, unknown>>): string {
    return this.#addresses.of(uid, parameters);
  }

  /** Returns the request with this id, if this browser began it; `undefined` otherwise, or if it has expired. */
  async find(browser: Browser, uid: string): Promise<PendingRequest | undefined> {
    // Looked up first: a stranger's request must not load the engine.
    const { db } = this.#parts;
    const stored = await findInteraction(db, storedId('Interaction', uid));
    if (stored === undefined) return undefined;
    const provider = await this.#parts.provider();
    const interaction = await this.#interactionOf(provider, browser, uid);
    if (interaction === undefined) return undefined;
    const { prompt, params, session } = interaction;
    const client = await findClient(db, String(params['client_id']));
    if (client === undefined || !isRedirectRegistered(client, String(params['redirect_uri'])))
      return undefined;
    return {
      uid,
      prompt: prompt.name,
      reasons: prompt.reasons,
      parameters: params,
      client,
      address: this.addressOf(uid, params),
      sessionUid: session?.uid,
      access: await accessOf(db, params, client.scopes),
      createdAt: stored.createdAt,
    };
  }

  /** Returns the client of a request that has ended. @param to Parameter of its address. */
  async clientOfEnded(to: string | undefined): Promise<AskingClient | undefined> {
    const id = this.#addresses.clientOf(to);
    return id === undefined ? undefined : findClient(this.#parts.db, id);
  }

  /** Returns the name of the client to which a target leads; `undefined` if it is not the page of a request. */
  async nameOfTarget(target: string): Promise<string | undefined> {
    const { pathname, searchParams } = new URL(target, 'http://path.invalid');
    if (!pathname.startsWith(`${oidcPaths.interaction}/`)) return undefined;
    return (await this.clientOfEnded(searchParams.get('to') ?? undefined))?.name;
  }

  /**
   * Continues the request with the user of the session. Returns the URL to continue at.
   * @throws {Problem} oidc_request_expired if the request has ended.
   */
  async signIn(
    browser: Browser,
    uid: string,
    { subject, amr, acr, at }: Authentication,
    also: readonly string[] = [],
  ): Promise<string> {
    const login = {
      accountId: subject,
      amr,
      ...(acr !== undefined && { acr }),
      ...(at !== undefined && { ts: Math.floor(at / 1000) }),
    };
    return this.#finish(browser, uid, { login, ...Object.fromEntries(also.map((name) => [name, {}])) });
  }

  /**
   * Continues the request after the user has chosen the account of the session. Returns the URL to continue at.
   * @throws {Problem} oidc_request_expired if the request has ended.
   */
  choose(browser: Browser, uid: string, prompt: string): Promise<string> {
    return this.#finish(browser, uid, { [prompt]: {} });
  }

  /**
   * Ends the request with an error for the client. Returns the URL to continue at.
   * @throws {Problem} oidc_request_expired if the request has ended.
   */
  refuse(
    browser: Browser,
    uid: string,
    error: 'access_denied' | 'unmet_authentication_requirements' | 'login_required',
    description: string,
  ): Promise<string> {
    return this.#finish(browser, uid, { error, error_description: description });
  }

  /**
   * Begins a request again, for the account of another session, and returns the URL to continue at. The parameters are
   * pushed (RFC 9126): the client may have to push them, and addresses are short.
   * @param isFresh The user has signed in after the request came: `prompt=login` is not asked for again.
   */
  async restart({ parameters, client }: PendingRequest, isFresh: boolean): Promise<string> {
    const provider = await this.#parts.provider();
    const { UnsecuredJWT } = await import('jose');
    const { prompt, claims, ...others } = parameters;
    const left = (typeof prompt === 'string' ? prompt : '')
      .split(' ')
      .filter((one) => !['', 'select_account', 'create', ...(isFresh ? ['login'] : [])].includes(one));
    const request = new UnsecuredJWT({
      ...others,
      ...(left.length > 0 && { prompt: left.join(' ') }),
      ...(typeof claims === 'string' && { claims: JSON.parse(claims) as unknown }), // the engine has parsed it before
    })
      .setIssuedAt()
      .setIssuer(client.id)
      .setAudience(provider.issuer)
      .setExpirationTime(`${restartSeconds}s`)
      .encode();
    const { PushedAuthorizationRequest } = provider as unknown as PushingProvider;
    const id = await new PushedAuthorizationRequest({ request }).save(restartSeconds);
    const query = { client_id: client.id, request_uri: `urn:ietf:params:oauth:request_uri:${id}` };
    return `${oidcPaths.authorization}?${new URLSearchParams(query).toString()}`;
  }

  /**
   * Stores that the user allows what the request asks for; the grant is made from it when the request continues. Returns
   * the URL to continue at.
   * @param record Runs in the transaction, with true if the user has allowed the client nothing before.
   * @throws {Problem} oidc_request_expired if the request has ended.
   */
  async allow(
    browser: Browser,
    { uid, client, access }: PendingRequest,
    userId: number,
    record: (tx: Database, isFirst: boolean) => Promise<void>,
  ): Promise<string> {
    const { db, clock } = this.#parts;
    const provider = await this.#parts.provider();
    const interaction = await this.#requireInteraction(provider, browser, uid);
    const unit = new Unit();
    await withUnit(unit, async () => {
      interaction.result = { ...interaction.lastSubmission, consent: {} };
      await interaction.persist();
    });
    await db.transaction(async (tx) => {
      const before = await findConsent(tx, userId, client.id);
      const scopes = [...new Set([...(before?.scopes ?? []), ...namesOf(access)])];
      await saveConsent(tx, { userId, clientId: client.id, scopes, now: clock() });
      await unit.writeSaves(tx);
      await record(tx, before === undefined);
    });
    return interaction.returnTo;
  }

  async #finish(browser: Browser, uid: string, result: Readonly<Record<string, unknown>>): Promise<string> {
    const provider = await this.#parts.provider();
    const interaction = await this.#requireInteraction(provider, browser, uid);
    interaction.result = 'error' in result ? result : { ...interaction.lastSubmission, ...result };
    await interaction.persist();
    return interaction.returnTo;
  }

  async #requireInteraction(provider: Provider, browser: Browser, uid: string): Promise<Interaction> {
    const interaction = await this.#interactionOf(provider, browser, uid);
    if (interaction === undefined) throw requestExpired();
    return interaction;
  }

  /** The cookie binds a request to its browser: otherwise an attacker could send the link of their own (login CSRF). */
  async #interactionOf(
    provider: Provider,
    [request, response]: Browser,
    uid: string,
  ): Promise<Interaction | undefined> {
    const { cookies } = provider.createContext(request, response);
    if (cookies.get(provider.cookieName('interaction')) !== uid) return undefined;
    return provider.Interaction.find(uid);
  }
}

// The program of an application: it sends requests to the endpoints of the provider, one by one and without a library that
// would refuse to send wrong ones.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import { memberOf, send, type Fields, type Reply } from '../../../../test/support/request.ts';
import type { TestService } from '../../../../test/support/service.ts';
import { deviceGrant } from '../client/client.ts';
import { oidcPaths } from '../engine/paths.ts';
import { authorizationRequest, textOf, type Application, type Person, type ProviderSite } from './site.ts';

/** A code that was not redeemed yet. */
export interface IssuedCode {
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

export interface CallOptions {
  /** Instance that answers; by default the first one. */
  readonly at?: TestService;
  readonly headers?: Readonly<Record<string, string>>;
  /** Address of the client; by default a new one for each request. */
  readonly from?: string;
  /** False: the client does not authenticate. */
  readonly isAuthenticated?: boolean;
}

export class Program {
  readonly site: ProviderSite;
  readonly application: Application;

  constructor(site: ProviderSite, application: Application) {
    this.site = site;
    this.application = application;
  }

  /** Sends a form, authenticated by the secret of the application if it has one. */
  post(
    path: string,
    fields: Fields,
    { at = this.site.service, headers = {}, isAuthenticated = true, ...more }: CallOptions = {},
  ): Promise<Reply> {
    const { id, secret, isPublic } = this.application;
    const own = isAuthenticated && !isPublic ? { authorization: basic(id, secret) } : {};
    const all = isAuthenticated && isPublic ? { client_id: id, ...fields } : fields;
    return send(at.app, { method: 'POST', path, fields: all, headers: { ...own, ...headers }, ...more });
  }

  /** Signs the person in, who allows what is asked for, and returns the code without redeeming it. */
  async codeOf(person: Person, more: Readonly<Record<string, string>> = {}): Promise<IssuedCode> {
    const request = await authorizationRequest(this.application, more);
    const { redirectUri } = this.application;
    const page = await person.visit(request.url);
    const { url, text } = page.url.startsWith(redirectUri) ? page : await person.answer(page, 'allow');
    assert.ok(url.startsWith(redirectUri), `${url} ${textOf(text)}`);
    const code = new URL(url).searchParams.get('code');
    assert.ok(code !== null, url);
    return { code, verifier: request.verifier, redirectUri };
  }

  redeem({ code, verifier, redirectUri }: IssuedCode, options?: CallOptions): Promise<Reply> {
    return this.post(
      oidcPaths.token,
      { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri },
      options,
    );
  }

  /** Signs the person in and returns the tokens. */
  async tokensOf(person: Person, more: Readonly<Record<string, string>> = {}): Promise<IssuedTokens> {
    return tokensIn(await this.redeem(await this.codeOf(person, more)));
  }

  refresh(
    token: string,
    { fields = {}, ...options }: CallOptions & { fields?: Fields } = {},
  ): Promise<Reply> {
    return this.post(
      oidcPaths.token,
      { grant_type: 'refresh_token', refresh_token: token, ...fields },
      options,
    );
  }

  /** Returns whether introspection calls the token active. */
  async isActive(token: string, options?: CallOptions): Promise<boolean> {
    const reply = await this.post(oidcPaths.introspection, { token }, options);
    assert.equal(reply.status, 200, reply.text);
    return memberOf(reply.body, 'active') === true;
  }

  userinfo(token: string, { at = this.site.service, headers = {}, from }: CallOptions = {}): Promise<Reply> {
    return send(at.app, {
      method: 'GET',
      path: oidcPaths.userinfo,
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(from !== undefined && { from }),
    });
  }

  /** Starts the flow of a device. */
  async device(scope = 'openid email'): Promise<{ readonly deviceCode: string; readonly userCode: string }> {
    const reply = await this.post(oidcPaths.deviceAuthorization, {
      client_id: this.application.id,
      scope,
    });
    assert.equal(reply.status, 200, reply.text);
    return {
      deviceCode: String(memberOf(reply.body, 'device_code')),
      userCode: String(memberOf(reply.body, 'user_code')),
    };
  }

  poll(deviceCode: string, options?: CallOptions): Promise<Reply> {
    return this.post(oidcPaths.token, { grant_type: deviceGrant, device_code: deviceCode }, options);
  }
}

export interface IssuedTokens {
  readonly access: string;
  /** Empty if none was issued. */
  readonly refresh: string;
  readonly id: string;
}

/** The person types in the code of a device, and allows what it asks for. */
export async function confirmDevice(
  person: Person,
  { userCode }: { readonly userCode: string },
): Promise<void> {
  const page = await person.submit(await person.visit(oidcPaths.device), { user_code: userCode });
  const { text } = await person.answer(page, 'allow');
  assert.match(textOf(text), /The device is connected/);
}

/** The tokens in a reply of the token endpoint. */
export function tokensIn({ status, text, body }: Reply): IssuedTokens {
  assert.equal(status, 200, text);
  const member = (name: string): string => {
    const value = memberOf(body, name);
    return typeof value === 'string' ? value : '';
  };
  return { access: member('access_token'), refresh: member('refresh_token'), id: member('id_token') };
}

/** Asserts that a request was refused with this error of OAuth. */
export function assertRefused({ status, text, body }: Reply, error: string, expected = 400): void {
  assert.equal(memberOf(body, 'error'), error, text);
  assert.equal(status, expected, text);
}

/** The number of replies with this outcome: `ok`, or an error of OAuth. */
export function countOf(replies: readonly Reply[], outcome: string): number {
  return replies.filter(({ status, body }) =>
    outcome === 'ok' ? status === 200 : memberOf(body, 'error') === outcome,
  ).length;
}

export function basic(id: string, secret: string): string {
  const text = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/** A key pair that signs proofs and assertions. */
export class TestKey {
  readonly jwk: JWK;
  readonly #key: CryptoKey;

  private constructor(jwk: JWK, key: CryptoKey) {
    this.jwk = jwk;
    this.#key = key;
  }

  static async create(alg = 'ES256'): Promise<TestKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg);
    return new TestKey({ ...(await exportJWK(publicKey)), kid: 'k1', alg, use: 'sig' }, privateKey);
  }

  /** A proof of possession for a request (RFC 9449 §4.2). */
  proof(url: string, method = 'POST', claims: JWTPayload = {}): Promise<string> {
    const { kty, crv, x, y } = this.jwk;
    const iat = Math.floor(Date.now() / 1000);
    return new SignJWT({ htm: method, htu: url, jti: randomText(), iat, ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: { kty, crv, x, y } as JWK })
      .sign(this.#key);
  }

  /** An assertion with which a client authenticates (RFC 7523 §2.2). */
  assertion(clientId: string, claims: JWTPayload): Promise<string> {
    return new SignJWT({ iss: clientId, sub: clientId, jti: randomText(), exp: soon(), ...claims })
      .setProtectedHeader({ alg: this.jwk.alg ?? '', kid: 'k1' })
      .setIssuedAt()
      .sign(this.#key);
  }
}

/** A minute from now, in seconds. */
function soon(): number {
  return Math.floor(Date.now() / 1000) + 60;
}

function randomText(): string {
  return randomBytes(12).toString('base64url');
}

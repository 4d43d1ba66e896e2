// A provider that listens, a browser without scripts, and an application that uses openid-client.
import assert from 'node:assert/strict';
import * as openid from 'openid-client';
import type { Environment } from '../../../config/read-options.ts';
import { freshDatabase, type EngineName } from '../../../../test/support/engines.ts';
import { unescapeMarkup } from '../../../../test/support/markup.ts';
import { freePort } from '../../../../test/support/free-port.ts';
import { sendPlain } from '../../../../test/support/integration.ts';
import type { Reply } from '../../../../test/support/request.ts';
import { serviceOn, type ServiceOverrides, type TestService } from '../../../../test/support/service.ts';
import { deviceGrant, type NewClient, type NewResource } from '../client/client.ts';
import { createClientSecret } from '../client/secret.ts';
import { clientDefaults } from './client-defaults.ts';
import { addClient, addSecret, putResource } from '../client/store.ts';

export const password = 'nine newts under a green umbrella';

/** The clock of the machine, which the engine uses too; a test can move ours, and stop it. */
class LiveClock {
  #offset = 0;
  #stoppedAt: number | undefined;

  readonly now = (): number => this.#offset + (this.#stoppedAt ?? Date.now());

  readonly advance = (ms: number): void => {
    this.#offset += ms;
  };

  stop(): void {
    this.#stoppedAt ??= Date.now();
  }

  start(): void {
    this.#stoppedAt = undefined;
  }
}

/** An application. */
export interface Application {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
  readonly isPublic: boolean;
  readonly config: openid.Configuration;
}

/** Tokens that an application received. */
export type Tokens = Awaited<ReturnType<typeof openid.authorizationCodeGrant>>;

export class ProviderSite {
  readonly service: TestService;
  readonly origin: string;
  readonly #drop: () => Promise<void>;
  readonly #clock: LiveClock;
  #clients = 0;

  private constructor(service: TestService, origin: string, drop: () => Promise<void>, clock: LiveClock) {
    this.service = service;
    this.origin = origin;
    this.#drop = drop;
    this.#clock = clock;
  }

  static async open(
    engine: EngineName,
    environment: Environment = {},
    overrides: ServiceOverrides = {},
  ): Promise<ProviderSite> {
    const { url, drop } = await freshDatabase(engine);
    const port = await freePort();
    const clock = new LiveClock();
    const service = await serviceOn({ url, clock }, { PORT: String(port), ...environment }, overrides);
    await service.app.listen({ host: '127.0.0.1', port });
    return new ProviderSite(service, `http://localhost:${port}`, drop, clock);
  }

  /** Another instance on the same database, which answers at the same address only if it is called by `inject`. */
  async another(environment: Environment = {}, overrides: ServiceOverrides = {}): Promise<TestService> {
    return serviceOn(this.service, { PORT: new URL(this.origin).port, ...environment }, overrides);
  }

  /**
   * Does the work in one instant of our clock, so that no limit refills in between. The clock of the engine goes on.
   */
  async inOneInstant<T>(work: () => Promise<T>): Promise<T> {
    this.#clock.stop();
    try {
      return await work();
    } finally {
      this.#clock.start();
    }
  }

  async close(): Promise<void> {
    await this.service.close();
    await this.#drop();
  }

  get db(): TestService['core']['database'] {
    return this.service.core.database;
  }

  /** Registers an application and discovers the provider for it. */
  async application(given: Partial<NewClient> = {}): Promise<Application> {
    return this.discover(await this.register(this.service, given));
  }

  /** Discovers the provider for an application. */
  async discover(application: Omit<Application, 'config'>): Promise<Application> {
    const { id, secret, isPublic } = application;
    const config = await openid.discovery(
      new URL(this.origin),
      id,
      undefined,
      isPublic ? openid.None() : openid.ClientSecretBasic(secret),
      {
        execute: [openid.allowInsecureRequests],
      },
    );
    return { ...application, config };
  }

  /** Registers an application at a service. */
  async register(
    { core, clock }: TestService,
    given: Partial<NewClient> = {},
  ): Promise<Omit<Application, 'config'>> {
    this.#clients += 1;
    const client: NewClient = { ...clientDefaults, id: `app-${this.#clients}`, ...given };
    const { secret, hash } = createClientSecret();
    const now = clock.now();
    await core.database.transaction(async (tx) => {
      await addClient(tx, client, { managedBy: null, now });
      if (client.authMethod.startsWith('client_secret')) await addSecret(tx, client.id, { hash, now });
    });
    const isPublic = client.authMethod === 'none';
    return { id: client.id, secret, redirectUri: client.redirectUris[0] ?? '', isPublic };
  }

  async resource(given: Partial<NewResource> = {}): Promise<NewResource> {
    const resource: NewResource = {
      identifier: 'https://api.example.org',
      name: 'API',
      scopes: ['read', 'write'],
      tokenFormat: 'opaque',
      alg: 'ES256',
      tokenSeconds: 300,
      ...given,
    };
    await this.db.transaction((tx) =>
      putResource(tx, resource, { managedBy: null, now: this.service.clock.now() }),
    );
    return resource;
  }

  /** A browser whose user has an account and is signed in, unless `isSignedIn` is false. */
  async person({ isSignedIn = true }: { readonly isSignedIn?: boolean } = {}): Promise<Person> {
    const person = new Person(this.origin, `p${crypto.randomUUID().slice(0, 8)}@example.org`);
    await person.register();
    if (isSignedIn) await person.signIn();
    return person;
  }

  /** Disables the account of a person who is signed in. */
  async disable(person: Person): Promise<void> {
    const { auth } = this.service.core;
    const session = await auth.getSession(person.sessionToken);
    assert.ok(await auth.setDisabled(session?.userId ?? 0, true), 'the user is disabled');
  }

  /** Signs a person in at an application, and returns its tokens. */
  async tokens(
    person: Person,
    application: Application,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Tokens> {
    const request = await authorizationRequest(application, more);
    const callback = await person.visitUntil(request.url, application.redirectUri);
    return exchange(application, callback, request);
  }
}

/** An authorization request, and what the application remembers of it. */
export interface AuthorizationRequest {
  readonly url: string;
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
}

export async function authorizationRequest(
  { config, redirectUri }: Application,
  more: Readonly<Record<string, string>> = {},
): Promise<AuthorizationRequest> {
  const verifier = openid.randomPKCECodeVerifier();
  const [state, nonce] = [openid.randomState(), openid.randomNonce()];
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid email profile',
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  });
  return { url: url.href, verifier, state, nonce };
}

/** Exchanges the code in the address of the callback. */
export function exchange(
  { config }: Application,
  callback: string,
  { verifier, state, nonce }: AuthorizationRequest,
): Promise<Tokens> {
  return openid.authorizationCodeGrant(config, new URL(callback), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
}

/** A page, or the address of another site at which the browser has arrived. */
export interface Arrival {
  readonly url: string;
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** What browsers accept when they open a page. */
const navigation = { accept: 'text/html,application/xhtml+xml' };

/** A person at a browser without scripts. It keeps cookies with their paths. */
export class Person {
  readonly origin: string;
  readonly email: string;
  /** Origins of applications whose pages it opens too. All are on this machine, so that they share cookies. */
  readonly follows = new Set<string>();
  readonly #cookies = new Map<string, { readonly value: string; readonly path: string }>();

  constructor(origin: string, email: string) {
    this.origin = origin;
    this.email = email;
  }

  get cookies(): readonly string[] {
    return [...this.#cookies.keys()].map((key) => key.split(' ')[0] ?? '');
  }

  /** The cookies with their values. */
  get cookieValues(): readonly { readonly name: string; readonly value: string }[] {
    return [...this.#cookies].map(([key, { value }]) => ({ name: key.split(' ')[0] ?? '', value }));
  }

  /** The token of the session. */
  get sessionToken(): string | undefined {
    return this.#cookies.get('session_id /')?.value;
  }

  /** Sets a cookie, as an attacker on a neighboring site could. */
  plant(name: string, value: string): void {
    this.#cookies.set(`${name} /`, { value, path: '/' });
  }

  async register(): Promise<void> {
    const { status } = await this.send('POST', '/users', { email: this.email, password });
    assert.equal(status, 200);
  }

  async signIn(): Promise<void> {
    const { status } = await this.send('POST', '/sessions', { email: this.email, password });
    assert.equal(status, 200);
  }

  /** Sends one request without following redirects. */
  async send(
    method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE',
    target: string,
    fields?: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{
    readonly status: number;
    readonly location: string | undefined;
    readonly text: string;
    readonly headers: Headers;
  }> {
    const url = new URL(target, this.origin);
    const cookie = [...this.#cookies]
      .filter(([, { path }]) => url.pathname.startsWith(path))
      .map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
      .join('; ');
    // `fetch` would name itself a script (`Sec-Fetch-Mode`), which some programs do not redirect.
    const reply = await sendPlain({
      method,
      path: url.href,
      headers: { accept: 'text/html,application/json', ...(cookie !== '' && { cookie }), ...headers },
      ...(fields !== undefined && { fields }),
    });
    for (const line of reply.cookies) this.#keep(line);
    const location = reply.headers['location'] as string | undefined; // of node:http
    return {
      status: reply.status,
      location: location === undefined ? undefined : new URL(location, url).href,
      text: reply.text,
      headers: headersOf(reply.headers),
    };
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/';
    const isRemoved = attributes.some(
      (one) => /^max-age=0$/i.test(one) || /^expires=Thu, 01 Jan 1970/i.test(one),
    );
    if (isRemoved || value === '') this.#cookies.delete(`${name} ${path}`);
    else this.#cookies.set(`${name} ${path}`, { value, path });
  }

  /** Opens an address and follows redirects, until a page is shown or another site is reached. */
  async visit(
    target: string,
    method: 'GET' | 'POST' = 'GET',
    fields?: Readonly<Record<string, string>>,
  ): Promise<Arrival> {
    let url = new URL(target, this.origin).href;
    let [next, body]: ['GET' | 'POST', typeof fields] = [method, fields];
    for (let steps = 0; steps < 15; steps += 1) {
      const { status, location, text, headers } = await this.send(next, url, body, navigation);
      if (location === undefined) {
        const exit = /http-equiv="refresh" content="0; url=(?<to>[^"]+)"/.exec(text)?.groups?.['to'];
        if (exit === undefined) return { url, status, text, headers };
        if (!this.#opens(unescapeMarkup(exit))) return { url: unescapeMarkup(exit), status, text, headers };
        [url, next, body] = [unescapeMarkup(exit), 'GET', undefined];
        continue;
      }
      if (!this.#opens(location)) return { url: location, status, text, headers };
      [url, next, body] = [location, 'GET', undefined];
    }
    return assert.fail(`${target} redirects for ever, at last to ${url}`);
  }

  #opens(target: string): boolean {
    return [this.origin, ...this.follows].includes(new URL(target).origin);
  }

  /** Opens an address and returns where the browser arrives at the application. */
  async visitUntil(target: string, redirectUri: string): Promise<string> {
    const arrival = await this.visit(target);
    assert.ok(
      arrival.url.startsWith(redirectUri),
      `${arrival.status} ${arrival.url} ${textOf(arrival.text)}`,
    );
    return arrival.url;
  }

  /** Sends the first form in the page's main part as it is, with some fields filled in. */
  submit({ url, text }: Arrival, fields: Readonly<Record<string, string>> = {}): Promise<Arrival> {
    const [, attributes = '', form = ''] =
      /<form method="post"([^>]*)>([^]*?)<\/form>/.exec(text.slice(text.indexOf('<main'))) ??
      assert.fail(textOf(text));
    const action = /action="(?<to>[^"]+)"/.exec(attributes)?.groups?.['to'];
    const inputs = [...form.matchAll(/<input\s[^>]*>/g)].flatMap(([input]) => {
      const value = (name: string): string =>
        unescapeMarkup(new RegExp(`\\b${name}="([^"]*)"`).exec(input)?.[1] ?? '');
      return value('name') === '' ? [] : [[value('name'), value('value')] as const];
    });
    const target = action === undefined ? url : new URL(unescapeMarkup(action), url).href;
    return this.visit(target, 'POST', { ...Object.fromEntries(inputs), ...fields });
  }

  /** Sends the form of a page with the button that has this value. */
  answer(page: Arrival, answer: string): Promise<Arrival> {
    return this.submit(page, { answer });
  }

  /** Signs in on the sign-in page at which the browser is. */
  async signInAt({ url, text }: Arrival, email: string = this.email): Promise<Arrival> {
    const back = /name="return_to" value="(?<to>[^"]+)"/.exec(text)?.groups?.['to'] ?? '';
    const { pathname } = new URL(url);
    return this.visit(pathname, 'POST', { email, password, return_to: unescapeMarkup(back) });
  }
}

function headersOf(received: Reply['headers']): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(received))
    for (const value of [values].flat()) headers.append(name, String(value));
  return headers;
}

/** Words of a page. */
export function textOf(markup: string): string {
  return markup
    .replace(/<(?:script|style)[^]*?<\/(?:script|style)>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ')
    .slice(0, 600);
}

export { deviceGrant };

// A simulated browser: it stores the cookies that it receives and sends them with each request.
import assert from 'node:assert/strict';
import { unescapeMarkup } from './markup.ts';
import { cookieOf, sessionCookie, type Member } from './public-service.ts';
import type { ContractRequest, Reply } from './request.ts';

/** Sends its requests: into a service in the process, or over a socket. */
interface Service {
  readonly send: (request: ContractRequest) => Promise<Reply>;
}

export class Browser {
  readonly #service: Service;
  readonly #cookies = new Map<string, string>();
  readonly #headers: Readonly<Record<string, string>>;

  constructor(service: Service, headers: Readonly<Record<string, string>> = {}) {
    this.#service = service;
    this.#headers = headers;
  }

  /** The current session as far as the browser knows. */
  get sessionId(): string | undefined {
    return this.#cookies.get(sessionCookie);
  }

  /** Stores a cookie that the service did not set. */
  plant(name: string, value: string): void {
    this.#cookies.set(name, value);
  }

  /** The value of a stored cookie. */
  cookie(name: string): string | undefined {
    return this.#cookies.get(name);
  }

  async send(request: ContractRequest): Promise<Reply> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...this.#headers, ...(cookie !== '' && { cookie }), ...request.headers };
    const reply = await this.#service.send({ ...request, headers });
    for (const line of reply.cookies) {
      const name = line.slice(0, line.indexOf('='));
      const value = cookieOf(reply, name);
      if (value === undefined) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return reply;
  }

  /**
   * Sends a form as a person does, and returns the page that says how it went: that of a refusal, or that for a code.
   * Other redirects are returned.
   */
  async submit(
    path: string,
    fields: NonNullable<ContractRequest['fields']>,
    more: ContractRequest['headers'] = {},
  ): Promise<Reply> {
    const headers = { accept: 'text/html,application/xhtml+xml', ...more };
    const reply = await this.send({ method: 'POST', path, fields, headers });
    const target = String(reply.headers['location']);
    if (!/[?&]note=|^[a-z/-]+\/(?:code|new)(?:\?|$)/.test(target)) return reply;
    const page = await this.get(target, headers);
    return { ...page, cookies: [...reply.cookies, ...page.cookies] };
  }

  /** Returns where a redirect leads in the end: the application, if it leads to the page that continues there. */
  async goalOf(reply: Reply): Promise<string> {
    assert.equal(reply.status, 303, reply.text);
    const target = String(reply.headers['location']);
    if (!target.startsWith('/continue?')) return target;
    const { text } = await this.get(target, { accept: 'text/html' });
    const [, href = ''] = /http-equiv="refresh" content="0; url=([^"]+)"/.exec(text) ?? [];
    return unescapeMarkup(href);
  }

  get(path: string, headers: ContractRequest['headers'] = {}): Promise<Reply> {
    return this.send({ method: 'GET', path, headers });
  }

  post(path: string, fields: NonNullable<ContractRequest['fields']>): Promise<Reply> {
    return this.send({ method: 'POST', path, fields });
  }

  put(path: string, fields: NonNullable<ContractRequest['fields']>): Promise<Reply> {
    return this.send({ method: 'PUT', path, fields });
  }
}

/** A browser in which a user has just logged in with the password. */
export async function signIn(
  service: Service,
  { email, password }: Pick<Member, 'email' | 'password'>,
): Promise<Browser> {
  const browser = new Browser(service);
  const reply = await browser.post('/sessions', { email, password });
  assert.equal(reply.status, 200, reply.text);
  return browser;
}

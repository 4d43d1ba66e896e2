// A browser without a screen: it keeps the cookies that it is given and sends them along.
import assert from 'node:assert/strict';
import { cookieOf, sessionCookie, type Member } from './public-service.ts';
import type { ContractRequest, Reply } from './request.ts';

/** Where its requests go: into a service in the process, or over a socket. */
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

  /** The live session as far as the browser knows. */
  get sessionId(): string | undefined {
    return this.#cookies.get(sessionCookie);
  }

  /** Holds a cookie that it was not given by the service. */
  plant(name: string, value: string): void {
    this.#cookies.set(name, value);
  }

  /** The value of a cookie that it holds. */
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

/** A browser in which somebody has just logged in with the password. */
export async function signIn(
  service: Service,
  { email, password }: Pick<Member, 'email' | 'password'>,
): Promise<Browser> {
  const browser = new Browser(service);
  const reply = await browser.post('/sessions', { email, password });
  assert.equal(reply.status, 200, reply.text);
  return browser;
}

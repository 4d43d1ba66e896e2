import assert from 'node:assert/strict';
import type { FastifyInstance } from 'fastify';
import { memberOf, send, sessionIdOf } from './request.ts';

/** A user with an account, a session and a reset token. */
export interface Person {
  readonly email: string;
  readonly password: string;
  readonly sessionId: string;
  readonly resetToken: string;
}

let people = 0;

/** An address without an account. */
export function freshEmail(): string {
  people += 1;
  return `person${people}@example.org`;
}

/** Registers a user over HTTP, logs in and requests a reset token. */
export async function createPerson(app: FastifyInstance): Promise<Person> {
  const email = freshEmail();
  const password = `the password of ${email}`;
  const registered = await send(app, { method: 'POST', path: '/users', fields: { email, password } });
  assert.equal(registered.status, 200, registered.text);
  const loggedIn = await send(app, { method: 'POST', path: '/sessions', fields: { email, password } });
  const sessionId = sessionIdOf(loggedIn);
  const asked = await send(app, { method: 'POST', path: '/reset_password', fields: { email } });
  const resetToken = memberOf(asked.body, 'reset_token');
  assert.ok(sessionId !== undefined && typeof resetToken === 'string', `${loggedIn.text} ${asked.text}`);
  return { email, password, sessionId, resetToken };
}

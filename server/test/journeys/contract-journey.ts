/**
 * The end-to-end client of the well-known exercise that Bienvenue grew out of, one function per step. It speaks plain
 * HTTP and knows nothing of this server, so it can be pointed at an implementation in any language:
 *
 *   npm run journey -- http://localhost:5000 [--email ada@example.com]
 *
 * No output means success. The first difference ends it with a sentence that names the step, the request, and what was
 * expected and came instead.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';

/** As in the original client, whose users have both. */
const defaults = { email: 'guillaume@holberton.io', password: 'b4l0u', newPassword: 't4rt1fl3tt3' };

/** Milliseconds: far above the time of a slow password hash; a server that hangs still ends the journey. */
const timeoutMs = 60_000;

/** Milliseconds for which a request that a busy server asks to repeat is repeated (RFC 9110 §10.2.3). */
const busyMs = 60_000;

export interface JourneyOptions {
  email?: string;
  password?: string;
  newPassword?: string;
}

/**
 * Walks the whole journey against the server at `baseUrl`, which must not know the email address yet.
 *
 * @throws {Error} at the first difference, with a sentence for a person
 */
export async function runJourney(baseUrl: string, options: JourneyOptions = {}): Promise<void> {
  const { email, password, newPassword } = { ...defaults, ...options };
  await registerUser(baseUrl, email, password);
  await logInWrongPassword(baseUrl, email, newPassword);
  await profileUnlogged(baseUrl);
  const sessionId = await logIn(baseUrl, email, password);
  await profileLogged(baseUrl, sessionId, email);
  await logOut(baseUrl, sessionId);
  const resetToken = await resetPasswordToken(baseUrl, email);
  await updatePassword(baseUrl, email, resetToken, newPassword);
  await logIn(baseUrl, email, newPassword);
}

export async function registerUser(baseUrl: string, email: string, password: string): Promise<void> {
  const reply = await send('registerUser', baseUrl, 'POST', '/users', { form: { email, password } });
  if (reply.status === 400 && isDeepStrictEqual(reply.json, { message: 'email already registered' })) {
    throw new Error(
      `registerUser: ${reply.request}: the server already knows ${email}, perhaps from an earlier run. ` +
        'Choose another address with --email, or start the server with empty data.',
    );
  }
  expectReply(reply, 200, { email, message: 'user created' });
  expectNoSession(reply);
}

export async function logInWrongPassword(baseUrl: string, email: string, password: string): Promise<void> {
  const reply = await send('logInWrongPassword', baseUrl, 'POST', '/sessions', { form: { email, password } });
  expectReply(reply, 401);
  expectNoSession(reply);
}

export async function profileUnlogged(baseUrl: string): Promise<void> {
  expectReply(await send('profileUnlogged', baseUrl, 'GET', '/profile'), 403);
}

/** Returns the session id from the cookie. */
export async function logIn(baseUrl: string, email: string, password: string): Promise<string> {
  const reply = await send('logIn', baseUrl, 'POST', '/sessions', { form: { email, password } });
  expectReply(reply, 200, { email, message: 'logged in' });
  if (reply.sessionId === undefined) throw difference(reply, 'a cookie session_id', 'none');
  return reply.sessionId;
}

export async function profileLogged(baseUrl: string, sessionId: string, email: string): Promise<void> {
  expectReply(await send('profileLogged', baseUrl, 'GET', '/profile', { sessionId }), 200, { email });
}

/** Follows the redirect by hand, with the ended cookie, as the original's client does: `fetch` would repeat DELETE. */
export async function logOut(baseUrl: string, sessionId: string): Promise<void> {
  const reply = await send('logOut', baseUrl, 'DELETE', '/sessions', { sessionId });
  expectReply(reply, 302);
  // RFC 9110 §10.2.2 lets a server write the same place in full.
  const { location } = reply;
  if (location !== '/' && location !== addressOf(baseUrl, '/')) {
    throw difference(
      reply,
      'the header "Location: /"',
      location === null ? 'none' : `"Location: ${location}"`,
    );
  }
  expectReply(await send('logOut', baseUrl, 'GET', '/', { sessionId }), 200, { message: 'Bienvenue' });
}

/** Returns the token, which the contract returns in the reply: in public mode a server mails it instead. */
export async function resetPasswordToken(baseUrl: string, email: string): Promise<string> {
  const reply = await send('resetPasswordToken', baseUrl, 'POST', '/reset_password', { form: { email } });
  const token: unknown = memberOf(reply.json, 'reset_token');
  const isToken = typeof token === 'string' && token !== '';
  expectReply(reply, 200, { email, reset_token: isToken ? token : '(a token)' });
  return String(token);
}

export async function updatePassword(
  baseUrl: string,
  email: string,
  resetToken: string,
  newPassword: string,
): Promise<void> {
  const form = { email, reset_token: resetToken, new_password: newPassword };
  const reply = await send('updatePassword', baseUrl, 'PUT', '/reset_password', { form });
  expectReply(reply, 200, { email, message: 'Password updated' });
}

interface Reply {
  step: string;
  /** Method and address, for the sentence of a difference. */
  request: string;
  status: number;
  text: string;
  /** The body, `undefined` if it is not JSON. */
  json: unknown;
  location: string | null;
  /** The value of the cookie `session_id`; `undefined` without one, or if an empty one clears it. */
  sessionId: string | undefined;
}

async function send(
  step: string,
  baseUrl: string,
  method: string,
  path: string,
  { form, sessionId }: { form?: Record<string, string>; sessionId?: string } = {},
): Promise<Reply> {
  const address = addressOf(baseUrl, path);
  const request = `${method} ${address}`;
  try {
    const ask = (): Promise<Response> =>
      fetch(address, {
        method,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
        // A URLSearchParams sets the content type of a form, as Python's requests does for `data=`.
        ...(form !== undefined && { body: new URLSearchParams(form) }),
        ...(sessionId !== undefined && { headers: { cookie: `session_id=${sessionId}` } }),
      });
    const latest = Date.now() + busyMs;
    let response = await ask();
    while (response.status === 503 && response.headers.has('retry-after') && Date.now() < latest) {
      await response.arrayBuffer();
      await pause(Number(response.headers.get('retry-after')) * 1000);
      response = await ask();
    }
    const text = await response.text();
    return {
      step,
      request,
      status: response.status,
      text,
      json: parseJson(text),
      location: response.headers.get('location'),
      sessionId: sessionIdOf(response.headers.getSetCookie()),
    };
  } catch (error) {
    throw new Error(`${step}: ${request}: expected an answer, got ${reasonOf(error)}`, { cause: error });
  }
}

function addressOf(baseUrl: string, path: string): string {
  return `${baseUrl.replace(/\/+$/, '')}${path}`;
}

function sessionIdOf(cookies: string[]): string | undefined {
  for (const cookie of cookies) {
    const value = /^\s*session_id=("?)([^;"]+)\1/.exec(cookie)?.[2]?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null && name in json ? Reflect.get(json, name) : undefined;
}

/** The `fetch` of Node says "fetch failed" and hides the reason one or two causes deep. */
function reasonOf(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause;
  if (reason instanceof AggregateError) reason = reason.errors[0];
  return reason instanceof Error ? reason.message : String(reason);
}

/** The body must have exactly these members, in any order; without members, any body is accepted. */
function expectReply(reply: Reply, status: number, body?: Record<string, string>): void {
  const isSame = reply.status === status && (body === undefined || isDeepStrictEqual(reply.json, body));
  if (isSame) return;
  const expected = `status ${status}${body === undefined ? '' : ` with the body ${JSON.stringify(body)}`}`;
  throw difference(reply, expected, `status ${reply.status} with the body ${excerpt(reply.text)}`);
}

function expectNoSession(reply: Reply): void {
  if (reply.sessionId !== undefined) throw difference(reply, 'no cookie session_id', 'one');
}

function difference({ step, request }: Reply, expected: string, got: string): Error {
  return new Error(`${step}: ${request}: expected ${expected}, got ${got}`);
}

/** One line, not a whole error page of a framework. */
function excerpt(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  if (line === '') return '(empty)';
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** Exit code 0 without output, 1 with the sentence, 2 for a command line without an address. */
async function main(args: string[]): Promise<number> {
  const command = parseCommand(args);
  if (command === undefined) {
    process.stderr.write(
      'Usage: npm run journey -- URL [--email ADDRESS]\n  for example http://localhost:5000\n',
    );
    return 2;
  }
  try {
    await runJourney(command.baseUrl, command.options);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

function parseCommand(args: string[]): { baseUrl: string; options: JourneyOptions } | undefined {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { email: { type: 'string' } },
    });
    const [baseUrl, ...others] = positionals;
    if (baseUrl === undefined || others.length > 0 || !/^https?:$/.test(new URL(baseUrl).protocol))
      return undefined;
    return { baseUrl, options: values.email === undefined ? {} : { email: values.email } };
  } catch {
    return undefined; // an unknown option, or a malformed address
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

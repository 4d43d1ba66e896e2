// No text that a client may send occupies the thread that answers everyone: for each text field of each route, the longest
// allowed text of characters that are slow to normalize, to compare or to match.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { RouteEntry } from '../src/app/access.ts';
import { Browser } from './support/browser.ts';
import { addApp } from './support/factor.ts';
import { hasFeature } from './support/feature.ts';
import { asPage, formIn } from './support/page-form.ts';
import { PublicService, type Member } from './support/public-service.ts';
import type { ContractRequest } from './support/request.ts';

/** CPU time of the thread for one request. Quadratic work on 12,000 characters takes longer than all others together. */
const maxMs = 20;
/** On a slow or busy machine also a short text may take as long; then the text may take so many times its time. */
const maxTimes = 5;
/** The tries of a request that takes long, about two seconds altogether. */
const tries = 12;
const short = 'a';
/** A field without a maximum length gets a text of this length: a body has at most 16 KB. */
const longest = 12_000;

/** Texts of at most so many UTF-16 code units, which also fit into a body. */
const nasty: Readonly<Record<string, (units: number) => string>> = {
  'marks in the wrong order': (n) => `a${'\u0301'.repeat(n / 2 - 1)}${'\u0323'.repeat(n / 2 - 1)}`,
  'characters that grow eighteenfold': (n) => `${'\uFDFA'.repeat(n - 1)}b`,
  'a period that breaks at the end': (n) => `${'a'.repeat(n - 1)}b`,
  'an address of many parts': (n) => `${'aaab.'.repeat((n - 8) / 5)}@a.b`.slice(-n),
  'white space': (n) => `a${' '.repeat(n - 2)}b`,
  separators: (n) => ';,=:/@'.repeat(n / 6),
  'brackets of JSON': (n) => '[{"a":'.repeat(n / 6),
};

interface TextSchema {
  readonly type?: string;
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, TextSchema>>;
}

/** Names of the text fields of a schema, with their maximum lengths. */
function fieldsOf(schema: unknown): [name: string, units: number][] {
  const { properties = {} } = (schema ?? {}) as TextSchema; // JSON schemas of the routes
  return Object.entries(properties)
    .filter(([, { type }]) => type === 'string')
    .map(([name, { maxLength = longest }]) => [name, Math.min(maxLength, longest)]);
}

/** Bytes of a text in a request. Headers and bodies have at most 16 KB. */
const maxBytes = 14_000;

/** A text of the kind as long as the field and the request allow, as it is encoded there. */
function fitting(make: (units: number) => string, units: number, encode: (text: string) => string): string {
  let length = units;
  while (length > 8 && Buffer.byteLength(encode(make(length))) > maxBytes) length = Math.floor(length * 0.9);
  return make(Math.max(length, 8));
}

let service: PublicService;
/** A browser without a session, with the session of a member, or with a pending authentication of a member. */
type State = 'none' | 'session' | 'pending';

/** A browser, its user, and the form token of its pages. */
interface Visit {
  readonly browser: Browser;
  readonly member: Member;
  readonly formToken: string;
}

/** The browser of each state, and the one that sends the next request. */
const visits = new Map<State, Visit>();
let visit: Visit;

before(async () => {
  service = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true', REMEMBERED_DEVICE_DAYS: '30' });
});
after(() => service.close());

/** A page with a form, which only a browser in this state sees. */
const pageOf: Readonly<Record<State, string>> = {
  none: '/sign-in',
  session: '/account/password',
  pending: '/sign-in/factor',
};

async function visitIn(state: State): Promise<Visit> {
  const [browser, member] = [new Browser(service), await service.member()];
  const { email, password } = member;
  if (state !== 'none') await browser.post('/sessions', { email, password });
  if (state === 'pending') {
    await addApp(browser, service.service.clock);
    await browser.send({ method: 'DELETE', path: '/sessions' });
    await browser.post('/sessions', { email, password });
  }
  const page = await browser.get(pageOf[state], asPage);
  assert.equal(page.status, 200, page.text);
  return { browser, member, formToken: formIn(page).fields['form_token'] ?? '' };
}

/** Visits the service in the state: as before if the browser is still in it. */
async function enter(state: State): Promise<void> {
  const last = visits.get(state);
  const isThere = last !== undefined && (await last.browser.get(pageOf[state], asPage)).status === 200;
  visit = isThere ? last : await visitIn(state);
  visits.set(state, visit);
}

/** The states in which a route reads its fields. */
function statesOf({ access }: RouteEntry): readonly State[] {
  if (access === 'open') return ['none'];
  if (access === 'optional') return ['none', 'session'];
  if (access === 'pending') return hasFeature('totp') ? ['pending'] : [];
  return ['session'];
}

/** Values with which a route reads all of its fields. */
function valuesOf(names: readonly string[]): Record<string, string> {
  const { member, formToken } = visit;
  const known: Readonly<Record<string, string>> = {
    email: member.email,
    password: member.password,
    new_password: 'nine herons on a bicycle',
    form_token: formToken,
    proof: member.password,
    factor: 'password',
  };
  return Object.fromEntries(names.map((name) => [name, known[name] ?? 'ABCD-EFGH']));
}

/**
 * Sends requests and returns the CPU time of this thread for one, in milliseconds: the least of several if the first takes
 * long. A slow text is slow each time. A clock that counts in ticks, or a virtual machine that is interrupted, is wrong for
 * a while.
 */
async function msOf(state: State, requestOf: () => ContractRequest): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < tries && least > maxMs / 2; i += 1) {
    if (i > 0) await setTimeout(i * 20);
    const { browser } = visit;
    const request = requestOf();
    await service.service.core.database.execute('delete from attempts'); // a request that is refused reads no field
    const begun = process.threadCpuUsage();
    const { status, text, cookies } = await browser.send(request);
    const { user, system } = process.threadCpuUsage(begun);
    assert.ok(status < 500 && status !== 429, `${request.method} ${request.path}: ${status} ${text}`);
    least = Math.min(least, (user + system) / 1000);
    if (cookies.length > 0) await enter(state);
  }
  return least;
}

/** Returns the CPU time of the text if it is too long, in milliseconds. */
async function tooLong(
  state: State,
  requestOf: (text: string) => ContractRequest,
  text: string,
): Promise<number | undefined> {
  const ms = await msOf(state, () => requestOf(text));
  return ms > maxMs && ms > maxTimes * (await msOf(state, () => requestOf(short))) ? ms : undefined;
}

async function slowOf({ method, url, isPage, schema }: RouteEntry, state: State): Promise<string[]> {
  const slow: string[] = [];
  await enter(state);
  const path = url.replace(/:\w+/, 'none');
  const headers = isPage ? { accept: 'text/html' } : {};
  const [query, body] = [fieldsOf(schema?.querystring), fieldsOf(schema?.body)];
  for (const [title, make] of Object.entries(nasty)) {
    const request = { method: method as ContractRequest['method'], headers }; // the list has no others
    for (const [name, units] of query) {
      const ms = await tooLong(
        state,
        (text) => ({ ...request, path: `${path}?${name}=${encodeURIComponent(text)}` }),
        fitting(make, units, encodeURIComponent),
      );
      if (ms !== undefined) slow.push(`${method} ${url}, ${name}, ${title}: ${ms} ms`);
    }
    for (const [name, units] of body) {
      const names = body.map(([one]) => one);
      const ms = await tooLong(
        state,
        (text) => ({ ...request, path, fields: { ...valuesOf(names), [name]: text }, kind: 'json' }),
        fitting(make, units, JSON.stringify),
      );
      if (ms !== undefined) slow.push(`${method} ${url}, ${name}, ${title}: ${ms} ms`);
    }
  }
  return slow;
}

test('no field of a route takes a text that holds the thread', async () => {
  const routes = service.service.routes.filter(
    ({ isRefusal, method, schema }) =>
      !isRefusal && method !== 'HEAD' && (schema?.body ?? schema?.querystring) !== undefined,
  );
  assert.ok(routes.length > 40, `${routes.length}`);
  const slow: string[] = [];
  for (const route of routes) for (const state of statesOf(route)) slow.push(...(await slowOf(route, state)));
  assert.deepEqual(slow, []);
});

test('no header takes a text that holds the thread', async () => {
  const slow: string[] = [];
  await enter('session');
  for (const name of [
    'user-agent',
    'accept-language',
    'cookie',
    'origin',
    'x-forwarded-for',
    'accept',
    'referer',
  ])
    for (const [title, make] of Object.entries(nasty)) {
      const value = Buffer.from(make(maxBytes)).toString('latin1').slice(0, maxBytes);
      const ms = await tooLong(
        'session',
        (text) => ({ method: 'GET', path: '/account/sessions', headers: { [name]: text } }),
        value,
      );
      if (ms !== undefined) slow.push(`${name}, ${title}: ${ms} ms`);
    }
  assert.deepEqual(slow, []);
});

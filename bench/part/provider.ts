// What the OpenID provider costs, compared with its engine alone: the same requests, in turns.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { onCores } from '../support/cores.ts';
import { freePort } from '../support/port.ts';
import { cpuSeconds } from '../support/process-facts.ts';
import { firstAnswer, startProgram, type Program } from '../support/program.ts';
import type { Run } from '../support/run.ts';
import { medianOf } from '../support/statistics.ts';

/** What is measured: CPU time of the server for one of each, in microseconds. */
export interface ProviderFigures {
  readonly introspection: number;
  readonly userinfo: number;
  readonly refresh: number;
  /** An authorization request of a signed-in user, and the exchange of its code. */
  readonly codeFlow: number;
}

export type ProviderSubject = 'service on SQLite' | 'service on PostgreSQL' | 'engine in memory';

export interface ProviderResult {
  readonly rounds: number;
  /** Of each sender. */
  readonly requests: number;
  readonly senders: number;
  readonly subjects: Readonly<Record<ProviderSubject, ProviderFigures>>;
}

/** A provider with a client and a signed-in user. */
interface Subject {
  readonly program: Program;
  readonly origin: string;
  readonly endpoints: Readonly<Record<'authorize' | 'token' | 'userinfo' | 'introspect', string>>;
  readonly client: { readonly id: string; readonly secret: string };
  /** Cookie header of the user. */
  cookie: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = `${root}server/bin/bienvenue.js`;
/** Users that send their requests at the same time, each one after the other. */
const senders = 32;
const redirectUri = 'http://127.0.0.1:9/callback';

export async function measureProvider(run: Run): Promise<ProviderResult> {
  const rounds = run.choose(7, 1);
  const requests = run.choose(20, 4);
  const subjects: [ProviderSubject, Subject][] = [
    ['service on SQLite', await startService(run, await run.emptyDatabase('sqlite'))],
    ['service on PostgreSQL', await startService(run, await run.emptyDatabase('postgres'))],
    ['engine in memory', await startEngine(run)],
  ];
  const measured = new Map<ProviderSubject, ProviderFigures[]>();
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, subject] of subjects) {
      run.say(`provider, round ${round} of ${rounds}: ${name}`);
      const figures = await measureOne(subject, requests);
      if (round > 0) measured.set(name, [...(measured.get(name) ?? []), figures]); // the first warms up
    }
  }
  for (const [, { program }] of subjects) await program.stop();
  return {
    rounds,
    requests,
    senders,
    subjects: Object.fromEntries(
      [...measured].map(([name, list]) => [name, medianOf(list)]),
    ) as ProviderResult['subjects'], // one for each subject
  };
}

async function startService(run: Run, url: string): Promise<Subject> {
  const port = await freePort();
  const environment = {
    DATABASE_URL: url,
    DATA_DIR: run.file('provider-data'),
    PORT: String(port),
    ADDRESS_LIMIT_PER_MINUTE: '1000000',
    GLOBAL_LIMIT_PER_MINUTE: '1000000',
    ACCOUNT_READS_PER_MINUTE: '1000000',
  };
  const logFile = run.file('provider.log');
  const program = startProgram({
    name: 'provider',
    command: onCores(run.cores?.server, [process.execPath, main, 'serve']),
    environment,
    logFile,
  });
  const origin = `http://localhost:${port}`;
  await firstAnswer(program, `${origin}/`, logFile, performance.now());
  const person = { email: 'ann@bench.example', password: 'nine newts under a green umbrella' };
  await send(`${origin}/users`, person);
  const login = await send(`${origin}/sessions`, person);
  const added = execFileSync(
    process.execPath,
    [main, 'client', 'add', '--name', 'Bench', '--first-party', '--redirect-uri', redirectUri, '--json'],
    {
      env: { PATH: process.env['PATH'], ...environment },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const { client_id: id, client_secret: secret } = JSON.parse(added) as Record<string, string>; // printed by the command
  if (id === undefined || secret === undefined) throw new Error(`The client has no secret: ${added}`);
  return {
    program,
    origin,
    client: { id, secret },
    cookie: cookiesOf(login),
    endpoints: {
      authorize: '/oauth/authorize',
      token: '/oauth/token',
      userinfo: '/oauth/userinfo',
      introspect: '/oauth/introspect',
    },
  };
}

async function startEngine(run: Run): Promise<Subject> {
  const port = await freePort();
  const secret = randomBytes(32).toString('base64url');
  const logFile = run.file('engine.log');
  const program = startProgram({
    name: 'engine',
    command: onCores(run.cores?.server, [process.execPath, `${root}bench/peer/oidc-provider.mjs`]),
    environment: { PORT: String(port), CLIENT_SECRET: secret, NODE_ENV: 'production' },
    logFile,
  });
  const origin = `http://127.0.0.1:${port}`;
  await firstAnswer(program, `${origin}/.well-known/openid-configuration`, logFile, performance.now());
  const subject: Subject = {
    program,
    origin,
    client: { id: 'bench', secret },
    cookie: '',
    endpoints: { authorize: '/auth', token: '/token', userinfo: '/me', introspect: '/token/introspection' },
  };
  await authorize(subject, 6); // signs the user in
  return subject;
}

async function measureOne(subject: Subject, requests: number): Promise<ProviderFigures> {
  const { program, origin, endpoints } = subject;
  const all: Sender[] = [];
  for (let i = 0; i < senders; i += 1) {
    const own = { ...subject };
    all.push({ subject: own, tokens: await signIn(own) });
  }
  const micros = async (work: (sender: Sender) => Promise<unknown>): Promise<number> => {
    const before = cpuSeconds(program.pid);
    await Promise.all(
      all.map(async (sender) => {
        for (let i = 0; i < requests; i += 1) await work(sender);
      }),
    );
    return ((cpuSeconds(program.pid) - before) * 1e6) / requests / senders;
  };
  return {
    introspection: await micros(({ tokens }) =>
      post(subject, endpoints.introspect, { token: tokens.access }),
    ),
    userinfo: await micros(async ({ tokens }) => {
      const reply = await fetch(`${origin}${endpoints.userinfo}`, {
        headers: { authorization: `Bearer ${tokens.access}` },
      });
      await requireOk(reply);
    }),
    refresh: await micros(async (sender) => {
      const fields = { grant_type: 'refresh_token', refresh_token: sender.tokens.refresh };
      const { refresh_token: refresh = '' } = await post(subject, endpoints.token, fields);
      sender.tokens = { ...sender.tokens, refresh };
    }),
    codeFlow: await micros((sender) => signIn(sender.subject)),
  };
}

interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

interface Sender {
  /** With cookies of its own. */
  readonly subject: Subject;
  tokens: Tokens;
}

/** Signs the user in at the client, without a page. */
async function signIn(subject: Subject): Promise<Tokens> {
  const verifier = randomBytes(32).toString('base64url');
  const code = await authorize(subject, 1, verifier);
  const { access_token: access = '', refresh_token: refresh = '' } = await post(
    subject,
    subject.endpoints.token,
    {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
    },
  );
  return { access, refresh };
}

/** Sends an authorization request, follows up to `steps` replies, and returns the code. */
async function authorize(
  subject: Subject,
  steps: number,
  verifier = randomBytes(32).toString('base64url'),
): Promise<string> {
  const query = new URLSearchParams({
    client_id: subject.client.id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid email',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  let url = `${subject.origin}${subject.endpoints.authorize}?${query.toString()}`;
  for (let step = 0; step < steps; step += 1) {
    const reply = await fetch(url, { redirect: 'manual', headers: { cookie: subject.cookie } });
    await reply.arrayBuffer();
    subject.cookie = mergeCookies(subject.cookie, reply);
    url = new URL(reply.headers.get('location') ?? '', subject.origin).href;
    if (url.startsWith(redirectUri)) return new URL(url).searchParams.get('code') ?? '';
  }
  throw new Error(`No code: the last address is ${url}`);
}

async function post(
  { origin, client }: Subject,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const { id, secret } = client;
  const reply = await send(`${origin}${path}`, fields, {
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  });
  return (await reply.json()) as Record<string, string>; // of both providers
}

async function send(
  url: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const reply = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields) });
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${await reply.text()}`);
  return reply;
}

async function requireOk(reply: Response): Promise<void> {
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${reply.url}: ${reply.status} ${text}`);
}

function cookiesOf(reply: Response): string {
  return mergeCookies('', reply);
}

function mergeCookies(header: string, reply: Response): string {
  const pairs = new Map(header.split('; ').map((pair) => [pair.split('=')[0] ?? '', pair]));
  for (const line of reply.headers.getSetCookie()) {
    const [pair = ''] = line.split(';');
    pairs.set(pair.split('=')[0] ?? '', pair);
  }
  return [...pairs.values()].filter((pair) => pair !== '').join('; ');
}

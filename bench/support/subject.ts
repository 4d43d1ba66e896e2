// The measured programs: our service, the bare minimum, and others, each listening and with the requests that it
// understands.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defaultHashCost } from '../../server/src/hash/options.ts';
import { postForm, postJson, sessionCheck } from '../load/request.ts';
import type { PlannedRequest } from '../load/plan.ts';
import { emailOf, hashOfPassword, password, sessionOf, spread } from './accounts.ts';
import { onCores } from './cores.ts';
import { freePort } from './port.ts';
import { firstAnswer, startProgram, type Program } from './program.ts';
import type { Run } from './run.ts';

export interface Subject {
  readonly program: Program;
  readonly port: number;
  /** Milliseconds from its start to its first answer. */
  readonly startMs: number;
  readonly checks: readonly PlannedRequest[];
  readonly logins: readonly PlannedRequest[];
  /** Returns this many registrations, each with a new address. */
  readonly registrations: (count: number) => readonly PlannedRequest[];
}

export interface SubjectOptions {
  /** Pins it to the core of servers. */
  readonly pinned: boolean;
  /** Users in its database. */
  readonly accounts: number;
}

/** Accounts that appear in the requests of one measurement. */
const askedAccounts = 10_000;

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = `${root}server/bin/bienvenue.js`;
const peerFolder = fileURLToPath(new URL('../peer/', import.meta.url));

interface Start {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly pinned: boolean;
}

async function start(
  run: Run,
  { name, command, environment, pinned }: Start,
): Promise<Pick<Subject, 'program' | 'port' | 'startMs'>> {
  const port = await freePort();
  const logFile = run.file(`${name}.log`);
  await run.placePostgres(pinned); // before the server opens its connections
  const cores = pinned ? run.cores?.server : undefined;
  const startedAt = performance.now();
  const program = startProgram({
    name,
    command: onCores(cores, command),
    environment: { ...environment, PORT: String(port) },
    logFile,
  });
  const startMs = await firstAnswer(program, `http://127.0.0.1:${port}/`, logFile, startedAt);
  return { program, port, startMs };
}

export interface ServiceOptions extends SubjectOptions {
  readonly url: string;
  /** Options of the service that differ from its defaults. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Command that runs the program, such as strace. */
  readonly under?: readonly string[];
}

/** Starts our service as an operator does, with its default options. */
export async function startService(run: Run, options: ServiceOptions): Promise<Subject> {
  const { url, pinned, accounts, environment = {}, under = [] } = options;
  const started = await start(run, {
    name: 'service',
    command: [...under, process.execPath, main, 'serve'],
    environment: { DATABASE_URL: url, DATA_DIR: run.folder, ...environment },
    pinned,
  });
  return {
    ...started,
    checks: spread(accounts, askedAccounts).map((n) =>
      sessionCheck('/profile', `session_id=${sessionOf(n).token}`, JSON.stringify({ email: emailOf(n) })),
    ),
    ...formRequests(accounts),
  };
}

/** Starts a bare server on a database of the service. */
export async function startBare(
  run: Run,
  engine: 'sqlite' | 'postgres',
  { url, pinned, accounts }: ServiceOptions,
): Promise<Subject> {
  const database = engine === 'sqlite' ? url.slice('sqlite:'.length) : url;
  const command = [process.execPath, `${peerFolder}bare-${engine}.ts`];
  const started = await start(run, {
    name: `bare-${engine}`,
    command,
    environment: { DATABASE: database },
    pinned,
  });
  return {
    ...started,
    checks: spread(accounts, askedAccounts).map((n) =>
      sessionCheck('/profile', `session_id=${sessionOf(n).token}`, JSON.stringify({ email: emailOf(n) })),
    ),
    logins: [],
    registrations: () => [],
  };
}

/** Starts Express with express-session and passport-local. */
export async function startExpress(run: Run, options: SubjectOptions): Promise<Subject> {
  const { started, cookies } = await startPeer(run, 'express-passport', options);
  return {
    ...started,
    checks: cookies.map((cookie, i) =>
      sessionCheck('/profile', cookie, JSON.stringify({ email: emailOf(i + 1) })),
    ),
    ...formRequests(options.accounts),
  };
}

/** Starts Better Auth. */
export async function startBetterAuth(run: Run, options: SubjectOptions): Promise<Subject> {
  const { started, cookies } = await startPeer(run, 'better-auth', options);
  return {
    ...started,
    checks: cookies.map((cookie, i) =>
      sessionCheck('/api/auth/get-session', cookie, `"email":"${emailOf(i + 1)}"`),
    ),
    logins: spread(options.accounts, askedAccounts).map((n) =>
      postJson('/api/auth/sign-in/email', { email: emailOf(n), password }, `"email":"${emailOf(n)}"`),
    ),
    registrations: (count) =>
      newEmails(count).map((email) =>
        postJson('/api/auth/sign-up/email', { name: 'Somebody', email, password }, `"email":"${email}"`),
      ),
  };
}

async function startPeer(
  run: Run,
  name: string,
  { pinned, accounts }: SubjectOptions,
): Promise<{ started: Awaited<ReturnType<typeof start>>; cookies: string[] }> {
  const cookieFile = run.file('cookies.json');
  const started = await start(run, {
    name,
    command: [process.execPath, `${peerFolder}${name}.mjs`],
    environment: {
      NODE_ENV: 'production',
      DATABASE: run.file(`${name}.db`),
      ACCOUNTS: String(accounts),
      COOKIES: cookieFile,
      HASHED_PASSWORD: hashOfPassword(),
      MEMORY_KIB: String(defaultHashCost.memoryKib),
      PASSES: String(defaultHashCost.passes),
    },
    pinned,
  });
  const cookies = JSON.parse(await readFile(cookieFile, 'utf8')) as string[]; // written by the peer
  return { started, cookies: cookies.slice(0, askedAccounts) };
}

function formRequests(accounts: number): Pick<Subject, 'logins' | 'registrations'> {
  return {
    logins: spread(accounts, askedAccounts).map((n) =>
      postForm(
        '/sessions',
        { email: emailOf(n), password },
        JSON.stringify({ email: emailOf(n), message: 'logged in' }),
      ),
    ),
    registrations: (count) =>
      newEmails(count).map((email) =>
        postForm('/users', { email, password }, JSON.stringify({ email, message: 'user created' })),
      ),
  };
}

let registered = 0;

function newEmails(count: number): string[] {
  return Array.from({ length: count }, () => `new${(registered += 1)}@bench.example`);
}

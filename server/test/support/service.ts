// The service for a test: in the process (for `app.inject`, with a clock that the test moves), or as a process of its
// own behind a real socket.
import type { FastifyInstance } from 'fastify';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import type { Environment } from '../../src/config/read-options.ts';
import { readOptions } from '../../src/app/options.ts';
import { createApp } from '../../src/app/server.ts';
import type { RouteEntry } from '../../src/app/access.ts';
import { buildService } from '../../src/app/core.ts';
import { prepareStart, type Service, type Overrides } from '../../src/app/service.ts';
import { Auth } from '../../src/library/auth.ts';
import type { IdentityCore } from '../../src/module.ts';
import type { Database } from '../../src/db/database.ts';
import type { PasswordHasher } from '../../src/identity/context.ts';
import type { Outbox } from '../../src/mail/outbox.ts';
import { createLog } from '../../src/http/log.ts';
import { freshDatabase, openPatiently, type EngineName } from './engines.ts';
import { sharedHasher } from './hashing.ts';
import { runtimeEnvironment } from './runtime.ts';
import { cheapSigningKey } from './signing-keys.ts';
import { testClock, type TestClock } from './clock.ts';

/** Tests send more requests from one address than users do. Tests of the limits set them to '' for the defaults. */
export const wideLimits: Environment = {
  ADDRESS_LIMIT_PER_MINUTE: '1000000',
  GLOBAL_LIMIT_PER_MINUTE: '1000000',
  ACCOUNT_READS_PER_MINUTE: '1000000',
};

/** Set, because these services have no folder of their own for a key file. */
const keys: Environment = { SECRET_KEY: `test ${Buffer.alloc(32, 'test').toString('base64url')}` };

/** The core, and what tests look at besides it. */
export interface TestCore extends IdentityCore, Pick<Service, 'hooks'> {
  readonly database: Database;
  readonly hasher: PasswordHasher;
  readonly outbox: Outbox;
  /** The contract's verbs, over the rules of the service. */
  readonly auth: Auth;
}

function testCore(service: Service): TestCore {
  const { core, hooks } = service;
  const { db: database, hasher } = core.context;
  return { ...core, hooks, database, hasher, outbox: core.mail, auth: new Auth({ service }) };
}

export interface TestService {
  readonly app: FastifyInstance;
  readonly service: Service;
  readonly core: TestCore;
  readonly clock: TestClock;
  readonly url: string;
  /** Every route with its access level. */
  readonly routes: readonly RouteEntry[];
  readonly close: () => Promise<void>;
}

/** What a test replaces of the surroundings of a service. */
export interface ServiceOverrides extends Omit<Overrides, 'clock'> {
  /** Stands between the service and its database. */
  readonly watchDatabase?: (database: Database) => Database;
}

/**
 * Builds the service on a new database, not listening: use `app.inject`. By default its hashes are cheap.
 */
export async function testService(
  engine: EngineName,
  environment: Environment = {},
  overrides: ServiceOverrides = {},
): Promise<TestService> {
  const { url, drop } = await freshDatabase(engine);
  const service = await serviceOn({ url, clock: testClock() }, environment, overrides);
  return {
    ...service,
    close: async () => {
      await service.close();
      await drop();
    },
  };
}

/** Builds another service on the database and the clock of a service, as after a restart with other options. */
export async function serviceOn(
  { url, clock }: Pick<TestService, 'url' | 'clock'>,
  environment: Environment,
  { watchDatabase = (database) => database, ...overrides }: ServiceOverrides = {},
): Promise<TestService> {
  const configuration = readOptions({
    DATABASE_URL: url,
    LOG_LEVEL: 'silent',
    HASH_THREADS: '2',
    ...wideLimits,
    ...keys,
    ...environment,
  });
  const log = await createLog({ level: configuration.options.logLevel, pretty: false });
  const database = watchDatabase(await openPatiently(url));
  const service = await buildService(configuration, database, log, {
    hasher: sharedHasher,
    createSigningKey: cheapSigningKey,
    ...overrides,
    clock: clock.now,
  });
  await prepareStart(service);
  const routes: RouteEntry[] = [];
  const app = await createApp(service, log, { onRoutes: (entries) => void routes.push(...entries) });
  await app.ready();
  return {
    app,
    service,
    core: testCore(service),
    clock,
    url,
    routes,
    close: async () => {
      await app.close();
      await service.close();
    },
  };
}

export interface ServiceProcess {
  readonly child: ChildProcess;
  readonly baseUrl: string;
  /** Lines of its log so far. */
  readonly lines: readonly string[];
  /** Sends the signal and waits for the end; resolves to the exit code. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
}

/**
 * The program with cheap hashes, which waits a minute for its database and for its clients. Next to busy programs the hashing
 * threads of the real one, which have the lowest priority, can get no core for six seconds, and a request no connection to
 * PostgreSQL for three: it then answers 503.
 */
const patientMain = fileURLToPath(new URL('patient-main.ts', import.meta.url));
/** The same with the limits of the real one for both, for tests of databases and clients that do not respond. */
export const cheapMain: string = fileURLToPath(new URL('cheap-main.ts', import.meta.url));
/** The program as users run it. */
export const realMain: string = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Milliseconds: the start takes a fraction of a second; on a machine with a load of 14 it has taken 20 s. */
const startMs = 60_000;

/** Starts the service as a process on a free port and waits for its first line, which says where it listens. */
export async function startService(
  environment: Environment,
  program: string = patientMain,
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [program, 'serve'], {
    env: { ...runtimeEnvironment(), PORT: '0', LOG_FORMAT: 'json', ...wideLimits, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const started = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`The service did not start:\n${lines.join('\n')}`)),
      startMs,
    );
    const onLine = (line: string): void => {
      lines.push(line);
      const listeningPort = /"port":(\d+).*Bienvenue is listening/.exec(line)?.[1];
      if (listeningPort !== undefined) resolve(Number(listeningPort));
    };
    createInterface({ input: child.stdout }).on('line', onLine);
    createInterface({ input: child.stderr }).on('line', onLine);
    child.once('exit', (code) => reject(new Error(`The service ended with ${code}:\n${lines.join('\n')}`)));
    child.once('exit', () => clearTimeout(timer));
    child.stdout.once('data', () => clearTimeout(timer));
  });
  const port = await started.catch((error: unknown) => {
    child.kill('SIGKILL'); // else it would keep the process of the tests alive
    throw error;
  });
  return {
    child,
    baseUrl: `http://127.0.0.1:${port}`,
    lines,
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
      return child.exitCode;
    },
  };
}

// Options of the core. The options of a module are in `options.ts` of its folder.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defaultConnections, type Pooler } from '../kit/postgres/postgres-url.ts';
import { brandOptions, checkBrandOptions } from './brand-options.ts';
import { defaultDataDir, option, type OptionCheck, type OptionValues } from './option.ts';
import {
  cookiePrefix,
  flag,
  integer,
  isLoopback,
  listenHost,
  networks,
  oneOf,
  origins,
  publicUrl,
  reachableNetworks,
  secretKeys,
} from './parse.ts';
import { ehloName, ehloNameOf, mailSender, type Sender } from './sender.ts';
import { databaseUrl, localPath, smtpUrl } from './server-url.ts';

/** Bounds of the rate limits: enough for the most expensive request, and more than a machine can serve. */
const minLimit = 10;
const maxLimit = 1_000_000_000;

/** KiB times passes: four passes over 1 GiB, the maximum that a stored hash may require. */
const maxHashWork = 4 * 1_048_576;

const addressLimitPerMinute = option({
  env: 'ADDRESS_LIMIT_PER_MINUTE',
  parse: integer(minLimit, maxLimit),
  says: 'Rate limit per IP address (per /64 for IPv6), in units per minute. A login costs 3, setting a password 3, verifying a code 3, a registration 5, requesting an emailed token 5, any other change 1; reading is free.',
  default: ({ isPublic }) => (isPublic ? 60 : 600),
  defaultSays: '60 in public mode, 600 in local mode',
});

const hashThreads = option({
  env: 'HASH_THREADS',
  parse: integer(1, 256),
  says: 'Number of threads that hash passwords, at the lowest priority.',
  default: () => availableParallelism(),
  defaultSays: 'the number of cores',
});
/** A thousand logins a minute, which a thread hashes in a third of the time. */
const unitsPerThread = 3000;

const publicUrlOption = option<URL | undefined>({
  env: 'PUBLIC_URL',
  parse: publicUrl,
  says: 'URL at which users reach the service. An https URL turns on public mode; without it, or with a loopback host, the service runs in local mode, which answers this machine only. While it is unset, requests that a proxy forwarded are rejected.',
  default: () => undefined,
  defaultSays: 'none: local mode',
});

export const coreOptions = {
  publicUrl: publicUrlOption,
  host: option({
    env: 'HOST',
    parse: listenHost,
    says: 'IP address or host name to listen on; `localhost` is both loopback addresses, 127.0.0.1 and ::1. Local mode listens on loopback only.',
    default: () => 'localhost',
  }),
  port: option({
    env: 'PORT',
    parse: integer(0, 65_535),
    says: 'Port to listen on; 0 chooses a free port.',
    default: () => 5000,
  }),
  dataDir: option({
    env: 'DATA_DIR',
    parse: localPath,
    says: 'Folder for the data of the service. Use a local disk, and let only the service read it.',
    default: () => defaultDataDir,
  }),
  databaseUrl: option({
    env: 'DATABASE_URL',
    parse: databaseUrl,
    says: 'Database: sqlite:<path> or postgres://user:password@host/database. Several PostgreSQL servers: host:port,host:port; the service uses the first one that accepts changes.',
    default: ({ dataDir }) => `sqlite:${join(dataDir, 'bienvenue.db')}`,
    defaultSays: '`sqlite:<DATA_DIR>/bienvenue.db`',
    secret: true,
  }),
  databasePooler: option<Pooler>({
    env: 'DATABASE_POOLER',
    parse: oneOf('auto', 'none', 'session', 'transaction'),
    says: 'Pooler between the service and PostgreSQL, such as PgBouncer: `none`, or the mode of its pool. `auto` detects a pooler and uses it as in transaction mode, which works in both modes; `session` is faster if it is the mode of the pool.',
    default: () => 'auto',
  }),
  databaseConnections: option({
    env: 'DATABASE_CONNECTIONS',
    parse: integer(2, 1000),
    says: 'Maximum number of connections to PostgreSQL of each process.',
    default: () => defaultConnections,
  }),
  secretKey: option<string | undefined>({
    env: 'SECRET_KEY',
    parse: secretKeys,
    says: 'Keys that encrypt secrets in the database: "<key id> <32 bytes in base64>", the current key first, older keys after commas. Replaces the key file.',
    default: () => undefined,
    defaultSays: 'none: the keys are in SECRET_KEY_FILE',
    secret: true,
  }),
  secretKeyFile: option({
    env: 'SECRET_KEY_FILE',
    parse: localPath,
    says: 'File with the keys that encrypt secrets in the database, one per line, the current key first. The first start creates it. Without it these secrets cannot be decrypted: back it up, separately from the database.',
    default: ({ dataDir }) => join(dataDir, 'secret.key'),
    defaultSays: '`<DATA_DIR>/secret.key`',
  }),
  logLevel: option({
    env: 'LOG_LEVEL',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    says: 'Log level: `debug` logs every request, `info` only those that change something or fail.',
    default: () => 'info',
  }),
  logFormat: option({
    env: 'LOG_FORMAT',
    parse: oneOf('auto', 'json', 'pretty'),
    says: 'Log format: `json` for JSON lines, `pretty` for readable text; `auto` uses `pretty` on a terminal and otherwise `json`.',
    default: () => 'auto',
  }),
  auditDays: option({
    env: 'AUDIT_DAYS',
    parse: integer(1, 3650),
    says: 'Days for which audit events are kept.',
    default: () => 400,
  }),
  auditEvents: option({
    env: 'AUDIT_EVENTS',
    parse: integer(1000, maxLimit),
    says: 'Number of audit events that are kept, about 500 bytes each. Above it the oldest are removed, even if they are younger than AUDIT_DAYS.',
    default: () => 10_000_000,
  }),
  smtpUrl: option<URL | undefined>({
    env: 'SMTP_URL',
    parse: smtpUrl,
    says: 'Mail server: smtp://user:password@host:587 (STARTTLS is required except for a loopback host) or smtps://…. In the user and password write % as %25, @ as %40, / as %2F, ? as %3F, # as %23 and : as %3A. Required in public mode.',
    default: () => undefined,
    defaultSays: 'none: no email is sent',
    secret: true,
  }),
  mailFrom: option<Sender | undefined>({
    env: 'MAIL_FROM',
    parse: mailSender,
    says: 'Sender of emails: one address, or "Name <address>". A domain with letters outside ASCII is sent in punycode.',
    default: () => undefined,
    defaultSays: 'none; required with `SMTP_URL`',
  }),
  mailEhloName: option<string | undefined>({
    env: 'MAIL_EHLO_NAME',
    parse: ehloName,
    says: 'Name with which the service introduces itself to the mail server (EHLO): a host name, or an address such as [192.0.2.1]. Some servers reject a name that is not in the DNS.',
    default: ({ valueOf }) => ehloNameOf(valueOf(publicUrlOption)),
    defaultSays: 'the host of `PUBLIC_URL`; in local mode the name of this machine',
  }),
  ...brandOptions,
  trustedProxies: option<readonly string[]>({
    env: 'TRUSTED_PROXIES',
    parse: networks,
    says: 'Networks of your proxies, as a list such as 10.0.0.0/8, 2001:db8::/32. X-Forwarded-For is trusted only from these networks; no other forwarding header is used. 127.0.0.1 also covers ::1, and ::1 also covers 127.0.0.1.',
    default: () => [],
    defaultSays: 'none: the peer address is the client address',
  }),
  outboundAllow: option<readonly string[]>({
    env: 'OUTBOUND_ALLOW',
    parse: reachableNetworks,
    says: 'Networks that requests to servers of applications may reach although they are not public, as a list such as 10.0.0.0/8, fd00::/8. Without it a URL of an application reaches public addresses only, in local mode also this machine.',
    default: () => [],
    defaultSays: 'none: public addresses only',
  }),
  allowedOrigins: option<readonly string[]>({
    env: 'ALLOWED_ORIGINS',
    parse: origins,
    says: 'Origins whose pages may call the API from a browser, as a list such as https://app.example.org, https://example.org:8443.',
    default: () => [],
    defaultSays: 'none: only pages of this service',
  }),
  cookiePrefix: option({
    env: 'COOKIE_PREFIX',
    parse: cookiePrefix,
    says: 'Prefix of the name of each cookie, such as shop_. Browsers send cookies to all ports of a host: set a different one for each of several services on localhost, or signing in to one signs out of the others. In public mode `__Host-` precedes it.',
    default: () => '',
    defaultSays: 'none: the cookie of the session is `session_id`',
  }),
  addressLimitPerMinute,
  ipv6SiteLimitPerMinute: option({
    env: 'IPV6_56_LIMIT_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'Rate limit per IPv6 /56 network, which one subscriber has, in units per minute.',
    default: ({ valueOf }) => 4 * valueOf(addressLimitPerMinute),
    defaultSays: '4 times `ADDRESS_LIMIT_PER_MINUTE`',
  }),
  ipv6BlockLimitPerMinute: option({
    env: 'IPV6_48_LIMIT_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'Rate limit per IPv6 /48 network, which one organization or a part of a provider has, in units per minute.',
    default: ({ valueOf }) => 16 * valueOf(addressLimitPerMinute),
    defaultSays: '16 times `ADDRESS_LIMIT_PER_MINUTE`',
  }),
  globalLimitPerMinute: option({
    env: 'GLOBAL_LIMIT_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'Rate limit for all addresses together, in units per minute and process. It is counted separately for requests that hash a password, that send an email, that begin a sign-in for an application, and that verify a factor, token or code. It slows down attacks that try few passwords on many accounts from many addresses.',
    default: ({ valueOf }) => unitsPerThread * valueOf(hashThreads),
    defaultSays: '3000 per hashing thread (`HASH_THREADS`)',
  }),
  accountReadsPerMinute: option({
    env: 'ACCOUNT_READS_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'Pages and lists that one account may read per minute and process; one session gets half of it. Session checks are not counted.',
    default: () => 240,
  }),
  hstsSubdomains: option({
    env: 'HSTS_SUBDOMAINS',
    parse: flag,
    says: 'Tells browsers to use https for all subdomains of the service for two years. Set it only if all of them support https.',
    default: () => false,
  }),
  hashThreads,
  hashMemoryKib: option({
    env: 'HASH_MEMORY_KIB',
    parse: integer(19_456, 1_048_576),
    says: 'Memory of one argon2id hash, in KiB. A hash made with less is upgraded at the next login.',
    default: () => 19_456,
  }),
  hashPasses: option({
    env: 'HASH_PASSES',
    parse: integer(2, 100),
    says: 'Number of passes of one argon2id hash.',
    default: () => 2,
  }),
} as const;

/** Values of the options of the core. */
export type CoreOptions = OptionValues<typeof coreOptions>;

/** Limits of wider networks and of all, by the names of their options. */
const widerLimits = [
  ['IPV6_56_LIMIT_PER_MINUTE', 'ipv6SiteLimitPerMinute'],
  ['IPV6_48_LIMIT_PER_MINUTE', 'ipv6BlockLimitPerMinute'],
  ['GLOBAL_LIMIT_PER_MINUTE', 'globalLimitPerMinute'],
] as const;

/** Combinations of options of the core that do not work or are unsafe. */
export const checkCoreOptions: OptionCheck<CoreOptions> = (values, context) => {
  const { isPublic, faulty } = context;
  const faults: string[] = [];
  if (!isPublic && !faulty.has('publicUrl') && !isLoopback(values.host)) {
    faults.push(
      `HOST is ${values.host}, but local mode accepts any password and returns reset tokens in replies, so it listens on loopback only. Set PUBLIC_URL=https://… to serve other machines, or remove HOST.`,
    );
  }
  if (values.publicUrl === undefined && !faulty.has('publicUrl') && values.trustedProxies.length > 0)
    faults.push(
      'TRUSTED_PROXIES names a proxy, but requests that a proxy forwarded are rejected while PUBLIC_URL is unset. Set PUBLIC_URL to the address of the proxy, or remove TRUSTED_PROXIES.',
    );
  // Local mode keeps its emails, to be read at /dev/mailbox.
  if (isPublic && values.smtpUrl === undefined && !faulty.has('smtpUrl')) {
    faults.push(
      'SMTP_URL must name a mail server, because PUBLIC_URL is https: smtp://user:password@host:587',
    );
  }
  if (values.smtpUrl !== undefined && values.mailFrom === undefined && !faulty.has('mailFrom'))
    faults.push('MAIL_FROM must name the sender of emails, such as accounts@example.org');
  faults.push(...checkBrandOptions(values, context));
  if (values.hashMemoryKib * values.hashPasses > maxHashWork) {
    faults.push(
      `HASH_MEMORY_KIB times HASH_PASSES must be at most ${maxHashWork}; otherwise one login takes seconds of CPU time`,
    );
  }
  for (const [wider, limit] of widerLimits)
    if (
      !faulty.has('addressLimitPerMinute') &&
      !faulty.has(limit) &&
      values[limit] < values.addressLimitPerMinute
    )
      faults.push(`${wider} must not be less than ADDRESS_LIMIT_PER_MINUTE`);
  return faults;
};

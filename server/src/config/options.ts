// The table of options: the type, the reader, the manual and `bienvenue config` come from it.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  color,
  databaseUrl,
  flag,
  integer,
  networks,
  oneOf,
  origins,
  publicUrl,
  rangeUrl,
  secretKeys,
  smtpUrl,
  text,
  webUrl,
} from './parse.ts';
import { picture, styleSheet, type Picture } from './picture.ts';

/** What a default may follow from. */
export interface Given {
  /** `PUBLIC_URL` is https: the rules of the open internet hold. */
  readonly isPublic: boolean;
  readonly dataDir: string;
  /** `SECOND_FACTOR` is required: no password opens anything alone. */
  readonly requiresSecondFactor: boolean;
}

/** One option. */
export interface OptionRow<T> {
  /** Name of the environment variable, and of the key in a file of options. */
  readonly env: string;
  readonly parse: (value: string) => T;
  /** What it does, in one sentence. */
  readonly says: string;
  readonly default: (given: Given) => T;
  /** The default in words, where it depends. */
  readonly defaultSays?: string;
  /** Never printed; may also be given as the path of a file in `<env>_FILE`. */
  readonly secret?: boolean;
}

function option<T>(row: OptionRow<T>): OptionRow<T> {
  return row;
}

const defaultDataDir = './data';
/** Bounds of the limits: enough for the dearest request, and more than any machine serves. */
const minLimit = 10;
const maxLimit = 1_000_000_000;

export const options = {
  publicUrl: option<URL | undefined>({
    env: 'PUBLIC_URL',
    parse: publicUrl,
    says: 'Address under which people reach the service. With https the rules of the open internet hold; without it, or on a loopback host, those for trying things out.',
    default: () => undefined,
    defaultSays: 'none: local mode',
  }),
  host: option({
    env: 'HOST',
    parse: text,
    says: 'Address to listen on. Local mode listens on loopback only.',
    default: () => '127.0.0.1',
  }),
  port: option({
    env: 'PORT',
    parse: integer(0, 65_535),
    says: 'Port to listen on; 0 takes a free one.',
    default: () => 5000,
  }),
  dataDir: option({
    env: 'DATA_DIR',
    parse: text,
    says: 'Folder of what the service keeps. On a local disk, readable by the service alone.',
    default: () => defaultDataDir,
  }),
  databaseUrl: option({
    env: 'DATABASE_URL',
    parse: databaseUrl,
    says: 'Where the accounts are: sqlite:<path> or postgres://user:password@host/database.',
    default: ({ dataDir }) => `sqlite:${join(dataDir, 'bienvenue.db')}`,
    defaultSays: '`sqlite:<DATA_DIR>/bienvenue.db`',
    secret: true,
  }),
  secretKey: option<string | undefined>({
    env: 'SECRET_KEY',
    parse: secretKeys,
    says: 'Keys under which secrets are kept in the database: "<key id> <32 bytes in base64>", the current one first, older ones behind commas. With it no key file is needed.',
    default: () => undefined,
    defaultSays: 'none: the keys are in SECRET_KEY_FILE',
    secret: true,
  }),
  secretKeyFile: option({
    env: 'SECRET_KEY_FILE',
    parse: text,
    says: 'File of the keys under which secrets are kept in the database, one a line, the current one first. The first start makes it; without it those secrets are lost, so it belongs into the backup, apart from the database.',
    default: ({ dataDir }) => join(dataDir, 'secret.key'),
    defaultSays: '`<DATA_DIR>/secret.key`',
  }),
  logLevel: option({
    env: 'LOG_LEVEL',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    says: 'How much is logged: debug tells every request, info those that change something or fail.',
    default: () => 'info',
  }),
  logFormat: option({
    env: 'LOG_FORMAT',
    parse: oneOf('auto', 'json', 'pretty'),
    says: 'JSON lines, or lines for the eye; auto is pretty on a terminal.',
    default: () => 'auto',
  }),
  sessionDays: option({
    env: 'SESSION_DAYS',
    parse: integer(1, 365),
    says: 'Days after which a session ends in any case.',
    default: () => 30,
  }),
  sessionIdleDays: option({
    env: 'SESSION_IDLE_DAYS',
    parse: integer(1, 365),
    says: 'Days without a request after which a session ends.',
    default: () => 7,
  }),
  sessionsPerUser: option({
    env: 'SESSIONS_PER_USER',
    parse: integer(1, 1000),
    says: 'Sessions that a user may hold; a new one beyond that ends the oldest.',
    default: () => 50,
  }),
  resetTokenMinutes: option({
    env: 'RESET_TOKEN_MINUTES',
    parse: integer(5, 1440),
    says: 'Minutes for which a reset token can be spent.',
    default: () => 60,
  }),
  knownDeviceDays: option({
    env: 'KNOWN_DEVICE_DAYS',
    parse: integer(0, 400),
    says: 'Days for which a browser is known after a login, by a cookie. On a known one, wrong passwords that strangers try elsewhere do not lock the owner out. 0 knows none.',
    default: ({ isPublic }) => (isPublic ? 180 : 0),
    defaultSays: '180 in public mode, 0 in local mode',
  }),
  auditDays: option({
    env: 'AUDIT_DAYS',
    parse: integer(1, 3650),
    says: 'Days for which the audit record is kept.',
    default: () => 400,
  }),
  secondFactor: option<'off' | 'optional' | 'required'>({
    env: 'SECOND_FACTOR',
    parse: oneOf('off', 'optional', 'required'),
    says: 'Of whom a second factor is asked: of nobody, of whoever has set one up, or of everybody. With required nothing but setting one up opens until it is done.',
    default: () => 'optional',
  }),
  rememberedDeviceDays: option({
    env: 'REMEMBERED_DEVICE_DAYS',
    parse: integer(0, 90),
    says: 'Days for which no second factor is asked for on a device whose owner wished that when giving one. Any change of factors or of the password ends it. 0 always asks.',
    default: () => 0,
  }),
  passkeys: option({
    env: 'PASSKEYS',
    parse: flag,
    says: 'People may make passkeys: to sign in with, and as second factor.',
    default: () => true,
  }),
  passkeyOrigins: option<readonly string[]>({
    env: 'PASSKEY_ORIGINS',
    parse: origins,
    says: 'Other origins at which the passkeys of this service may be used. Browsers read them at `/.well-known/webauthn`; those that call the API from there need ALLOWED_ORIGINS too.',
    default: () => [],
    defaultSays: 'none',
  }),
  passwordMinLength: option({
    env: 'PASSWORD_MIN_LENGTH',
    parse: integer(1, 64),
    says: 'Characters of the shortest password that may be set. Public mode takes 15 or more, and 8 or more where a second factor is required of everybody.',
    default: ({ isPublic, requiresSecondFactor }) => (isPublic ? (requiresSecondFactor ? 8 : 15) : 1),
    defaultSays: '1 in local mode; in public mode 15, or 8 with `SECOND_FACTOR=required`',
  }),
  passwordBlocklist: option({
    env: 'PASSWORD_BLOCKLIST',
    parse: flag,
    says: 'Refuses new passwords that everybody tries first: common ones, repetitions, keys in a row, the name of the service, the address of the person. Public mode always does.',
    default: ({ isPublic }) => isPublic,
    defaultSays: 'false in local mode, true in public mode',
  }),
  breachCheckUrl: option<URL | undefined>({
    env: 'BREACH_CHECK_URL',
    parse: rangeUrl,
    says: 'Service that knows breached passwords, asked for the first five hex digits of the SHA-1 of each new password (the range API of Pwned Passwords). When it does not answer, nobody is held up.',
    default: () => undefined,
    defaultSays: 'none: nobody is asked',
  }),
  revealAccounts: option({
    env: 'REVEAL_ACCOUNTS',
    parse: flag,
    says: 'Tells whoever registers a taken address that it is taken. Otherwise the reply is that of a new one, and its owner gets a mail.',
    default: ({ isPublic }) => !isPublic,
    defaultSays: 'true in local mode, false in public mode',
  }),
  resetTokenBy: option({
    env: 'RESET_TOKEN_BY',
    parse: oneOf('reply', 'mail'),
    says: 'Where a reset token goes: into the reply, for trying things out, or to the account by mail. Public mode takes mail only.',
    default: ({ isPublic }) => (isPublic ? 'mail' : 'reply'),
    defaultSays: 'reply in local mode, mail in public mode',
  }),
  emailConfirmation: option({
    env: 'EMAIL_CONFIRMATION',
    parse: flag,
    says: 'No session before the address is confirmed by a token that was mailed to it. Public mode always asks for it.',
    default: ({ isPublic }) => isPublic,
    defaultSays: 'false in local mode, true in public mode',
  }),
  emailSignIn: option({
    env: 'EMAIL_SIGN_IN',
    parse: flag,
    says: 'People may sign in by a link or a code that is mailed to them. It never counts as a second factor.',
    default: () => false,
  }),
  disposableEmails: option({
    env: 'DISPOSABLE_EMAILS',
    parse: oneOf('allowed', 'refused'),
    says: 'Whether a registration, or a change of address, may name an address of a service for throwaway ones, of which a list comes along. Accounts that have one keep it.',
    default: () => 'allowed',
  }),
  smtpUrl: option<URL | undefined>({
    env: 'SMTP_URL',
    parse: smtpUrl,
    says: 'Mail server: smtp://user:password@host:587 (STARTTLS is required unless the host is this machine) or smtps://…. Public mode needs one.',
    default: () => undefined,
    defaultSays: 'none: no mail is sent',
    secret: true,
  }),
  mailFrom: option<string | undefined>({
    env: 'MAIL_FROM',
    parse: text,
    says: 'Sender of mails: an address, or "Name <address>".',
    default: () => undefined,
    defaultSays: 'none',
  }),
  productName: option({
    env: 'PRODUCT_NAME',
    parse: text,
    says: 'What pages and mails call the service.',
    default: () => 'Bienvenue',
  }),
  productColor: option({
    env: 'PRODUCT_COLOR',
    parse: color,
    says: 'Colour of links and buttons, as #rrggbb; white letters stand on it.',
    default: () => '#1a56c4',
  }),
  productLogo: option<Picture | undefined>({
    env: 'PRODUCT_LOGO',
    parse: picture,
    says: 'Path of a PNG or JPEG file of at most 64 KB, which stands at the top of each page, and of each mail as html. It travels with the mail; nothing is fetched from elsewhere. Read at the start.',
    default: () => undefined,
    defaultSays: 'none: the name alone',
  }),
  termsUrl: option<URL | undefined>({
    env: 'TERMS_URL',
    parse: webUrl,
    says: 'Address of your terms of use: a link at the foot of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  privacyUrl: option<URL | undefined>({
    env: 'PRIVACY_URL',
    parse: webUrl,
    says: 'Address of your privacy notice: a link at the foot of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  supportUrl: option<URL | undefined>({
    env: 'SUPPORT_URL',
    parse: webUrl,
    says: 'Address of your help, or a mailto: one: a link at the foot of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  themeCss: option<string | undefined>({
    env: 'THEME_CSS',
    parse: styleSheet,
    says: 'Path of a style sheet of at most 64 KB, which pages load after ours. It can load nothing from elsewhere. Read at the start.',
    default: () => undefined,
    defaultSays: 'none',
  }),
  trustedProxies: option<readonly string[]>({
    env: 'TRUSTED_PROXIES',
    parse: networks,
    says: 'Networks of your own proxies, as a list such as 10.0.0.0/8, 2001:db8::/32. What they write into X-Forwarded-For is believed, and nothing that anybody else writes; no other header is.',
    default: () => [],
    defaultSays: 'none: the peer is the client',
  }),
  allowedOrigins: option<readonly string[]>({
    env: 'ALLOWED_ORIGINS',
    parse: origins,
    says: 'Origins of applications whose pages may call the service, as a list such as https://app.example.org, https://example.org:8443.',
    default: () => [],
    defaultSays: 'none: only pages of the service itself',
  }),
  addressLimitPerMinute: option({
    env: 'ADDRESS_LIMIT_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'Units that one network address (of IPv6, one /64) may spend in a minute. A login costs 3, setting a password 3, a registration 5, asking for a token by mail 5, any other change 1; reading is free.',
    default: ({ isPublic }) => (isPublic ? 60 : 600),
    defaultSays: '60 in public mode, 600 in local mode',
  }),
  globalLimitPerMinute: option({
    env: 'GLOBAL_LIMIT_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'The same for all addresses together, in each process: it slows down who tries few passwords on many accounts from many addresses.',
    default: () => 6000,
  }),
  hstsSubdomains: option({
    env: 'HSTS_SUBDOMAINS',
    parse: flag,
    says: "Tells browsers to use https for every name below the service's as well, and for two years. Only if all of them have it.",
    default: () => false,
  }),
  hashThreads: option({
    env: 'HASH_THREADS',
    parse: integer(1, 256),
    says: 'Threads that hash passwords, at the lowest priority; one per core.',
    default: () => availableParallelism(),
    defaultSays: 'the number of cores',
  }),
  hashMemoryKib: option({
    env: 'HASH_MEMORY_KIB',
    parse: integer(19_456, 1_048_576),
    says: 'Memory of one argon2id hash in KiB. Raising it upgrades each hash at the next login.',
    default: () => 19_456,
  }),
  hashPasses: option({
    env: 'HASH_PASSES',
    parse: integer(2, 100),
    says: 'Passes of one argon2id hash over its memory.',
    default: () => 2,
  }),
} as const;

type Table = typeof options;
/** Values of all options. */
export type Options = { readonly [Name in keyof Table]: ReturnType<Table[Name]['default']> };
export type OptionName = keyof Table;

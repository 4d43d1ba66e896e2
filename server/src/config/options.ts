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
    says: 'URL at which users reach the service. An https URL turns on public mode; without it, or with a loopback host, the service runs in local mode.',
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
    says: 'Port to listen on; 0 chooses a free port.',
    default: () => 5000,
  }),
  dataDir: option({
    env: 'DATA_DIR',
    parse: text,
    says: 'Folder for the data of the service. Use a local disk, and let only the service read it.',
    default: () => defaultDataDir,
  }),
  databaseUrl: option({
    env: 'DATABASE_URL',
    parse: databaseUrl,
    says: 'Database: sqlite:<path> or postgres://user:password@host/database.',
    default: ({ dataDir }) => `sqlite:${join(dataDir, 'bienvenue.db')}`,
    defaultSays: '`sqlite:<DATA_DIR>/bienvenue.db`',
    secret: true,
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
    parse: text,
    says: 'File with the keys that encrypt secrets in the database, one per line, the current key first. The first start creates it. Without it these secrets cannot be decrypted: back it up, separately from the database.',
    default: ({ dataDir }) => join(dataDir, 'secret.key'),
    defaultSays: '`<DATA_DIR>/secret.key`',
  }),
  logLevel: option({
    env: 'LOG_LEVEL',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    says: 'Log level: debug logs every request, info only those that change something or fail.',
    default: () => 'info',
  }),
  logFormat: option({
    env: 'LOG_FORMAT',
    parse: oneOf('auto', 'json', 'pretty'),
    says: 'Log format: JSON lines, or readable text; auto uses readable text on a terminal.',
    default: () => 'auto',
  }),
  sessionDays: option({
    env: 'SESSION_DAYS',
    parse: integer(1, 365),
    says: 'Maximum age of a session, in days.',
    default: () => 30,
  }),
  sessionIdleDays: option({
    env: 'SESSION_IDLE_DAYS',
    parse: integer(1, 365),
    says: 'Days of inactivity after which a session ends.',
    default: () => 7,
  }),
  sessionsPerUser: option({
    env: 'SESSIONS_PER_USER',
    parse: integer(1, 1000),
    says: 'Maximum number of sessions per user; a new session beyond it ends the oldest.',
    default: () => 50,
  }),
  resetTokenMinutes: option({
    env: 'RESET_TOKEN_MINUTES',
    parse: integer(5, 1440),
    says: 'Minutes for which a password reset token is valid.',
    default: () => 60,
  }),
  knownDeviceDays: option({
    env: 'KNOWN_DEVICE_DAYS',
    parse: integer(0, 400),
    says: 'Days for which a cookie marks a browser as known after a login. On a known browser, failed attempts from other places do not lock out the user. 0 turns this off.',
    default: ({ isPublic }) => (isPublic ? 180 : 0),
    defaultSays: '180 in public mode, 0 in local mode',
  }),
  auditDays: option({
    env: 'AUDIT_DAYS',
    parse: integer(1, 3650),
    says: 'Days for which audit events are kept.',
    default: () => 400,
  }),
  secondFactor: option<'off' | 'optional' | 'required'>({
    env: 'SECOND_FACTOR',
    parse: oneOf('off', 'optional', 'required'),
    says: 'Second factors: off, optional (required of users who have one) or required of every user. With required, a user without one can only enroll one.',
    default: () => 'optional',
  }),
  rememberedDeviceDays: option({
    env: 'REMEMBERED_DEVICE_DAYS',
    parse: integer(0, 90),
    says: 'Days for which a user can choose not to be asked for the second factor on a device. A change of the password or of an authenticator ends this. 0 always asks.',
    default: () => 0,
  }),
  passkeys: option({
    env: 'PASSKEYS',
    parse: flag,
    says: 'Lets users add passkeys, to sign in with and as a second factor.',
    default: () => true,
  }),
  passkeyOrigins: option<readonly string[]>({
    env: 'PASSKEY_ORIGINS',
    parse: origins,
    says: 'Additional origins that may use the passkeys of this service. Browsers read the list at `/.well-known/webauthn`. If pages of these origins call the API, add them to ALLOWED_ORIGINS too.',
    default: () => [],
    defaultSays: 'none',
  }),
  passwordMinLength: option({
    env: 'PASSWORD_MIN_LENGTH',
    parse: integer(1, 64),
    says: 'Minimum length of a new password, in characters. Public mode requires at least 15, or 8 if every user must have a second factor.',
    default: ({ isPublic, requiresSecondFactor }) => (isPublic ? (requiresSecondFactor ? 8 : 15) : 1),
    defaultSays: '1 in local mode; in public mode 15, or 8 with `SECOND_FACTOR=required`',
  }),
  passwordBlocklist: option({
    env: 'PASSWORD_BLOCKLIST',
    parse: flag,
    says: 'Rejects new passwords that are easy to guess: common passwords, repetitions, keyboard sequences, the name of the service, the email address of the user. Always on in public mode.',
    default: ({ isPublic }) => isPublic,
    defaultSays: 'false in local mode, true in public mode',
  }),
  breachCheckUrl: option<URL | undefined>({
    env: 'BREACH_CHECK_URL',
    parse: rangeUrl,
    says: 'Service that lists breached passwords (the range API of Pwned Passwords). It receives the first five hex digits of the SHA-1 of each new password. If it does not answer, the password is accepted.',
    default: () => undefined,
    defaultSays: 'none: no breach check',
  }),
  revealAccounts: option({
    env: 'REVEAL_ACCOUNTS',
    parse: flag,
    says: 'Tells a client that registers a taken email that it is taken. If false, the reply is the same as for a new email, and the owner gets an email.',
    default: ({ isPublic }) => !isPublic,
    defaultSays: 'true in local mode, false in public mode',
  }),
  resetTokenBy: option({
    env: 'RESET_TOKEN_BY',
    parse: oneOf('reply', 'mail'),
    says: 'How a password reset token is delivered: in the reply, for development, or by email. Public mode allows mail only.',
    default: ({ isPublic }) => (isPublic ? 'mail' : 'reply'),
    defaultSays: 'reply in local mode, mail in public mode',
  }),
  emailConfirmation: option({
    env: 'EMAIL_CONFIRMATION',
    parse: flag,
    says: 'Requires users to confirm their email with an emailed token before the first session. Always on in public mode.',
    default: ({ isPublic }) => isPublic,
    defaultSays: 'false in local mode, true in public mode',
  }),
  emailSignIn: option({
    env: 'EMAIL_SIGN_IN',
    parse: flag,
    says: 'Lets users sign in with an emailed link or code. It never counts as a second factor.',
    default: () => false,
  }),
  disposableEmails: option({
    env: 'DISPOSABLE_EMAILS',
    parse: oneOf('allowed', 'refused'),
    says: 'Whether users may register with, or change to, an email of a disposable email service. The list is included. Existing accounts are not affected.',
    default: () => 'allowed',
  }),
  smtpUrl: option<URL | undefined>({
    env: 'SMTP_URL',
    parse: smtpUrl,
    says: 'Mail server: smtp://user:password@host:587 (STARTTLS is required except for a loopback host) or smtps://…. Required in public mode.',
    default: () => undefined,
    defaultSays: 'none: no email is sent',
    secret: true,
  }),
  mailFrom: option<string | undefined>({
    env: 'MAIL_FROM',
    parse: text,
    says: 'Sender of emails: an address, or "Name <address>".',
    default: () => undefined,
    defaultSays: 'none',
  }),
  productName: option({
    env: 'PRODUCT_NAME',
    parse: text,
    says: 'Name of the service in pages and emails.',
    default: () => 'Bienvenue',
  }),
  productColor: option({
    env: 'PRODUCT_COLOR',
    parse: color,
    says: 'Color of links and buttons, as #rrggbb. It must contrast with white text.',
    default: () => '#1a56c4',
  }),
  productLogo: option<Picture | undefined>({
    env: 'PRODUCT_LOGO',
    parse: picture,
    says: 'Path of a PNG or JPEG file of at most 64 KB, shown at the top of each page and HTML email. Emails embed it; nothing is loaded from the network. Read at startup.',
    default: () => undefined,
    defaultSays: 'none: only the name',
  }),
  termsUrl: option<URL | undefined>({
    env: 'TERMS_URL',
    parse: webUrl,
    says: 'URL of your terms of use, linked at the bottom of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  privacyUrl: option<URL | undefined>({
    env: 'PRIVACY_URL',
    parse: webUrl,
    says: 'URL of your privacy notice, linked at the bottom of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  supportUrl: option<URL | undefined>({
    env: 'SUPPORT_URL',
    parse: webUrl,
    says: 'URL of your help page, or a mailto: URL, linked at the bottom of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  themeCss: option<string | undefined>({
    env: 'THEME_CSS',
    parse: styleSheet,
    says: 'Path of a style sheet of at most 64 KB, which pages load after the built-in one. It cannot load anything from other sites. Read at startup.',
    default: () => undefined,
    defaultSays: 'none',
  }),
  trustedProxies: option<readonly string[]>({
    env: 'TRUSTED_PROXIES',
    parse: networks,
    says: 'Networks of your proxies, as a list such as 10.0.0.0/8, 2001:db8::/32. X-Forwarded-For is trusted only from these networks; no other forwarding header is used.',
    default: () => [],
    defaultSays: 'none: the peer address is the client address',
  }),
  allowedOrigins: option<readonly string[]>({
    env: 'ALLOWED_ORIGINS',
    parse: origins,
    says: 'Origins whose pages may call the API from a browser, as a list such as https://app.example.org, https://example.org:8443.',
    default: () => [],
    defaultSays: 'none: only pages of this service',
  }),
  addressLimitPerMinute: option({
    env: 'ADDRESS_LIMIT_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'Rate limit per IP address (per /64 for IPv6), in units per minute. A login costs 3, setting a password 3, a registration 5, requesting an emailed token 5, any other change 1; reading is free.',
    default: ({ isPublic }) => (isPublic ? 60 : 600),
    defaultSays: '60 in public mode, 600 in local mode',
  }),
  globalLimitPerMinute: option({
    env: 'GLOBAL_LIMIT_PER_MINUTE',
    parse: integer(minLimit, maxLimit),
    says: 'Rate limit for all addresses together, in units per minute and process. It slows down attacks that try few passwords on many accounts from many addresses.',
    default: () => 6000,
  }),
  hstsSubdomains: option({
    env: 'HSTS_SUBDOMAINS',
    parse: flag,
    says: 'Tells browsers to use https for all subdomains of the service for two years. Set it only if all of them support https.',
    default: () => false,
  }),
  hashThreads: option({
    env: 'HASH_THREADS',
    parse: integer(1, 256),
    says: 'Number of threads that hash passwords, at the lowest priority.',
    default: () => availableParallelism(),
    defaultSays: 'the number of cores',
  }),
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

type Table = typeof options;
/** Values of all options. */
export type Options = { readonly [Name in keyof Table]: ReturnType<Table[Name]['default']> };
export type OptionName = keyof Table;

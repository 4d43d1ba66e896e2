// Options of the core. The options of a module are in `options.ts` of its folder.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { catalogFaults } from '../brand/catalog.ts';
import type { ThemeFolder } from '../brand/theme.ts';
import { defaultDataDir, option, type OptionCheck, type OptionValues } from './option.ts';
import {
  isLoopback,
  color,
  databaseUrl,
  flag,
  integer,
  networks,
  oneOf,
  origins,
  publicUrl,
  secretKeys,
  smtpUrl,
  text,
  webUrl,
} from './parse.ts';
import { readLanguages, type LanguageFolder } from './language-folder.ts';
import { iconPicture, picture, styleSheet, type Picture } from './picture.ts';
import { readTheme } from './theme-folder.ts';

/** Bounds of the rate limits: enough for the most expensive request, and more than a machine can serve. */
const minLimit = 10;
const maxLimit = 1_000_000_000;

/** KiB times passes: four passes over 1 GiB, the maximum that a stored hash may require. */
const maxHashWork = 4 * 1_048_576;

export const coreOptions = {
  publicUrl: option<URL | undefined>({
    env: 'PUBLIC_URL',
    parse: publicUrl,
    says: 'URL at which users reach the service. An https URL turns on public mode; without it, or with a loopback host, the service runs in local mode, which answers no other host than this machine. While it is unset, requests that a proxy forwarded are rejected.',
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
  auditDays: option({
    env: 'AUDIT_DAYS',
    parse: integer(1, 3650),
    says: 'Days for which audit events are kept.',
    default: () => 400,
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
    says: 'Color of links and buttons, as #rrggbb. Its lightness is adapted where it could not be read; `bienvenue doctor` reports it.',
    default: () => '#1a56c4',
  }),
  productLogo: option<Picture | undefined>({
    env: 'PRODUCT_LOGO',
    parse: picture,
    says: 'Path of a PNG, JPEG or SVG file of at most 64 KB, shown at the top of each page and HTML email. Emails embed it, unless it is an SVG file, which mail programs do not display. Read at startup.',
    default: () => undefined,
    defaultSays: 'none: only the name',
  }),
  productLogoDark: option<Picture | undefined>({
    env: 'PRODUCT_LOGO_DARK',
    parse: picture,
    says: 'Path of the logo for dark pages, a PNG, JPEG or SVG file of at most 64 KB. Read at startup.',
    default: () => undefined,
    defaultSays: 'none: `PRODUCT_LOGO`',
  }),
  productLogoAlone: option({
    env: 'PRODUCT_LOGO_ALONE',
    parse: flag,
    says: 'Pages show the logo without the name next to it, because it contains the name. Screen readers read `PRODUCT_NAME`.',
    default: () => false,
  }),
  productIcon: option<Picture | undefined>({
    env: 'PRODUCT_ICON',
    parse: iconPicture,
    says: 'Path of a square PNG or SVG file of at most 64 KB, the icon of the browser tab. A PNG file, best with 180 by 180 pixels, is also the icon on the home screen of a phone. Read at startup.',
    default: () => undefined,
    defaultSays: 'a dot in `PRODUCT_COLOR`',
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
  themeDir: option<ThemeFolder | undefined>({
    env: 'THEME_DIR',
    parse: readTheme,
    says: 'Path of a folder with `theme.css`, fonts and pictures, which the service serves below `/theme/`. At most 100 files, 1 MB each. Read at startup.',
    default: () => undefined,
    defaultSays: 'none',
  }),
  languagesDir: option<LanguageFolder | undefined>({
    env: 'LANGUAGES_DIR',
    parse: readLanguages,
    says: 'Path of a folder with JSON files such as `en.json`, which replace texts of pages and emails or add a language. Read at startup.',
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

/** Values of the options of the core. */
export type CoreOptions = OptionValues<typeof coreOptions>;

/** Combinations of options of the core that do not work or are unsafe. */
export const checkCoreOptions: OptionCheck<CoreOptions> = (values, { isPublic, faulty }) => {
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
  if (values.smtpUrl !== undefined && values.mailFrom === undefined)
    faults.push('MAIL_FROM must name the sender of emails, such as accounts@example.org');
  if (values.productLogo === undefined && !faulty.has('productLogo')) {
    if (values.productLogoDark !== undefined)
      faults.push('PRODUCT_LOGO_DARK is the dark variant of PRODUCT_LOGO, which must be set too');
    if (values.productLogoAlone) faults.push('PRODUCT_LOGO_ALONE=true needs a logo; set PRODUCT_LOGO');
  }
  if (values.languagesDir !== undefined)
    faults.push(...catalogFaults(values.languagesDir.catalogs).map((fault) => `LANGUAGES_DIR: ${fault}`));
  if (values.hashMemoryKib * values.hashPasses > maxHashWork) {
    faults.push(
      `HASH_MEMORY_KIB times HASH_PASSES must be at most ${maxHashWork}; otherwise one login takes seconds of CPU time`,
    );
  }
  const areLimitsRead = !faulty.has('addressLimitPerMinute') && !faulty.has('globalLimitPerMinute');
  if (areLimitsRead && values.globalLimitPerMinute < values.addressLimitPerMinute)
    faults.push('GLOBAL_LIMIT_PER_MINUTE must not be less than ADDRESS_LIMIT_PER_MINUTE');
  return faults;
};

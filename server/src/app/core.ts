// Builds each room once and plugs them together.
import type { Keyring } from '../kit/keyring.ts';
import type { Log } from '../kit/log.ts';
import { minuteMs, secondMs, steadyClock, systemClock, type Clock } from '../kit/clock.ts';
import { isLoopback } from '../config/parse.ts';
import type { Configuration } from './options.ts';
import type { Database } from '../db/database.ts';
import { Hasher, type HasherOptions } from '../hash/hasher.ts';
import { Audit } from '../audit/audit.ts';
import { RequestHooks } from '../http/request-hooks.ts';
import { PageAssets } from '../http/page-assets.ts';
import { Pages } from '../http/pages.ts';
import { ReturnTargets } from '../http/return-to.ts';
import { TokenCookie } from '../http/token-cookie.ts';
import { Jobs } from '../jobs/jobs.ts';
import { openKeyring } from '../keys/open-keyring.ts';
import { Outbox } from '../mail/outbox.ts';
import { smtpTransport, type MailTransport } from '../mail/smtp.ts';
import { DB } from '../library/db.ts';
import { Auth } from '../library/auth.ts';
import { BreachCheck } from '../features/breach-check/breach-check.ts';
import { anyAddress, noDisposableAddress } from '../features/disposable-email/disposable-email.ts';
import { Blocklist } from '../identity/password/blocklist.ts';
import { passwordRule, type PasswordRule } from '../identity/password/rule.ts';
import { ownSections, type AccountSection } from '../page/account-section.ts';
import type { ActivityPageRoom } from '../features/data-export/pages.ts';
import { passwordPrompt } from '../identity/factor/prompt.ts';
import type { PageRoom } from '../page/page-guard.ts';
import { passkeyPrompt, passkeySection } from '../features/passkey/prompt.ts';
import { Passkeys } from '../features/passkey/passkey.ts';
import { RecoveryCodes } from '../features/recovery-code/recovery-code.ts';
import { recoveryCodePrompt, recoveryCodeSection } from '../features/recovery-code/prompt.ts';
import { totpPrompt, totpSection } from '../features/totp/prompt.ts';
import { Totp } from '../features/totp/totp.ts';

/** How often the sessions seen are written. */
const flushSeenMs = 20 * secondMs;
const purgeMs = 10 * minuteMs;
/** How often events are sealed: rows removed within this time leave no gap. */
const sealMs = secondMs;
/** How often due mails are looked for. */
const deliverMs = secondMs;

export interface Core extends PageRoom {
  readonly database: Database;
  readonly hasher: Hasher;
  readonly keyring: Keyring;
  readonly audit: Audit;
  readonly outbox: Outbox;
  readonly jobs: Jobs;
  readonly assets: PageAssets;
  /** Where a second factor is set up. */
  readonly factorSections: readonly AccountSection[];
  readonly activityOf: ActivityPageRoom['activityOf'];
  /** Kinds of second factor that may be set up. */
  readonly totp: Totp;
  readonly recoveryCodes: RecoveryCodes;
  readonly passkeys: Passkeys;
  /** People may make passkeys. */
  readonly hasPasskeys: boolean;
  /** Second factors may be set up at all. */
  readonly hasSecondFactors: boolean;
  /** People may have no second factor asked for on a device. */
  readonly remembersDevices: boolean;
  readonly hooks: RequestHooks;
  close(): Promise<void>;
}

/** What tests put in the place of the world. */
export interface TestOverrides {
  readonly clock?: Clock;
  /** In the place of the SMTP server of the options. */
  readonly mailTransport?: MailTransport;
  /** In the place of the costs of the options. */
  readonly hashing?: HasherOptions;
}

/**
 * Builds the rooms of a service on an open database, which they close with themselves.
 * @throws {KeysRefused} when the keys are not those that the database was used with; it is closed then.
 */
export async function buildCore(
  configuration: Configuration,
  database: Database,
  log: Log,
  overrides: TestOverrides = {},
): Promise<Core> {
  const { options, isPublic } = configuration;
  const { clock = systemClock } = overrides;
  const keyring = await openKeyring(options, database, clock).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  const hasher = new Hasher({
    threads: options.hashThreads,
    cost: { memoryKib: options.hashMemoryKib, passes: options.hashPasses },
    ...overrides.hashing,
  });
  const audit = new Audit({
    database,
    clock,
    keptDays: options.auditDays,
    mac: {
      sign: (text) => keyring.mac('audit', text),
      check: (text, mac) => keyring.checkMac('audit', text, mac),
    },
  });
  const outbox = buildOutbox(configuration, { database, keyring, log, overrides });
  const codes = {
    sign: (text: string) => keyring.mac('code', text),
    check: (text: string, mac: string) => keyring.checkMac('code', text, mac),
  };
  const totp = new Totp({
    db: database,
    clock,
    issuer: options.productName,
    cipher: {
      encrypt: (text, id) => keyring.encrypt('totp', text, id),
      decrypt: (text, id) => keyring.decrypt('totp', text, id),
    },
  });
  const recoveryCodes = new RecoveryCodes({ db: database, clock, signer: codes });
  const passkeys = buildPasskeys(configuration, { db: database, clock, log, keyring });
  const auth = new Auth({
    secondFactors: [...(options.passkeys ? [passkeys] : []), totp, recoveryCodes],
    secondFactorPolicy: options.secondFactor,
    signsInByEmail: options.emailSignIn,
    audit,
    post: outbox,
    codes,
    emailConfirmation: options.emailConfirmation,
    passwordRule: buildPasswordRule(configuration, log, clock),
    addressRule: options.disposableEmails === 'refused' ? noDisposableAddress() : anyAddress,
    db: new DB(database, clock),
    hasher,
    clock,
    log,
    sessionDays: options.sessionDays,
    sessionIdleDays: options.sessionIdleDays,
    sessionsPerUser: options.sessionsPerUser,
    resetTokenMinutes: options.resetTokenMinutes,
    knownDeviceDays: options.knownDeviceDays,
    rememberedDeviceDays: options.rememberedDeviceDays,
  });
  const jobs = new Jobs(log);
  const hooks = new RequestHooks({ ...options, isPublic, clock: overrides.clock ?? steadyClock, log });
  return {
    database,
    hasher,
    keyring,
    auth,
    audit,
    outbox,
    jobs,
    totp,
    recoveryCodes,
    passkeys,
    hasPasskeys: options.passkeys,
    hasSecondFactors: options.secondFactor !== 'off',
    remembersDevices: options.rememberedDeviceDays > 0,
    signsInByEmail: options.emailSignIn,
    keepsMails: !isPublic && options.smtpUrl === undefined && overrides.mailTransport === undefined,
    cookie: new TokenCookie({ name: 'session_id', kind: 'session', secure: isPublic }),
    deviceCookie: new TokenCookie({ name: 'device', kind: 'device', secure: isPublic }),
    pendingCookie: new TokenCookie({ name: 'pending_login', kind: 'pending_login', secure: isPublic }),
    requestCookie: new TokenCookie({ name: 'request', kind: 'request', secure: isPublic }),
    rules: {
      revealAccounts: options.revealAccounts,
      resetTokenBy: options.resetTokenBy,
      emailConfirmation: options.emailConfirmation,
    },
    ...buildPages(configuration, { keyring, audit }),
    hooks,
    throttle: hooks.throttle,
    clientAddress: hooks.clientAddress,
    async close() {
      await jobs.stop();
      outbox.close();
      await auth.close();
      await audit.seal();
      await database.close();
    },
  };
}

/** Where the service is, as its mails say it: configured, never taken from a request. */
function serviceUrl({ options: { publicUrl, port } }: Configuration): string {
  return publicUrl?.origin ?? `http://localhost:${port}`;
}

interface PageNeeds {
  readonly keyring: Keyring;
  readonly audit: Audit;
}

type PageParts = Pick<
  Core,
  | 'pages'
  | 'assets'
  | 'returnTargets'
  | 'publicOrigin'
  | 'forms'
  | 'prompts'
  | 'sections'
  | 'factorSections'
  | 'passwordMinLength'
  | 'rememberedDeviceDays'
  | 'activityOf'
>;

function buildPages(configuration: Configuration, { keyring, audit }: PageNeeds): PageParts {
  const { options, isPublic } = configuration;
  const { productName, termsUrl: terms, privacyUrl: privacy, supportUrl: support } = options;
  const assets = new PageAssets({
    color: options.productColor,
    logo: options.productLogo,
    theme: options.themeCss,
  });
  const returnTargets = new ReturnTargets({
    ownOrigin: serviceUrl(configuration),
    allowedOrigins: options.allowedOrigins,
    allowsLoopback: !isPublic,
  });
  const hasFactors = options.secondFactor !== 'off';
  const factorSections = [
    ...(options.passkeys ? [passkeySection] : []),
    ...(hasFactors ? [totpSection] : []),
  ];
  const { address, password, sessions, activity, data } = ownSections;
  const links = Object.entries({ terms, privacy, support }).filter(([, url]) => url !== undefined);
  return {
    pages: new Pages({
      productName,
      links: Object.fromEntries(links),
      formTargets: returnTargets.sources,
      assets,
      isSecure: isPublic,
    }),
    assets,
    returnTargets,
    publicOrigin: serviceUrl(configuration),
    forms: {
      sign: (text) => keyring.mac('form', text),
      check: (text, mac) => keyring.checkMac('form', text, mac),
    },
    prompts: [...(options.passkeys ? [passkeyPrompt] : []), totpPrompt, passwordPrompt, recoveryCodePrompt],
    sections: [
      address,
      password,
      ...factorSections,
      ...(hasFactors ? [recoveryCodeSection] : []),
      sessions,
      activity,
      data,
    ],
    factorSections,
    passwordMinLength: options.passwordMinLength,
    rememberedDeviceDays: hasFactors ? options.rememberedDeviceDays : 0,
    activityOf: (userId, limit) => audit.list({ userId, limit }),
  };
}

interface PasskeyNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly keyring: Keyring;
}

function buildPasskeys(configuration: Configuration, { keyring, ...needs }: PasskeyNeeds): Passkeys {
  const { productName, passkeyOrigins, emailConfirmation } = configuration.options;
  const url = new URL(serviceUrl(configuration));
  return new Passkeys({
    ...needs,
    emailConfirmation,
    relyingParty: { id: url.hostname, name: productName, origins: [url.origin, ...passkeyOrigins] },
    signer: {
      sign: (text) => keyring.mac('webauthn', text),
      check: (text, mac) => keyring.checkMac('webauthn', text, mac),
    },
  });
}

function buildPasswordRule({ options }: Configuration, log: Log, clock: Clock): PasswordRule {
  const { passwordMinLength: minLength, breachCheckUrl, productName, publicUrl } = options;
  const names = ['Bienvenue', productName, publicUrl?.hostname ?? ''];
  return passwordRule({
    minLength,
    checks: [
      ...(options.passwordBlocklist ? [new Blocklist({ minLength, names })] : []),
      ...(breachCheckUrl === undefined ? [] : [new BreachCheck({ url: breachCheckUrl, clock, log })]),
    ],
  });
}

interface OutboxNeeds {
  readonly database: Database;
  readonly keyring: Keyring;
  readonly log: Log;
  readonly overrides: TestOverrides;
}

function buildOutbox(
  configuration: Configuration,
  { database, keyring, log, overrides }: OutboxNeeds,
): Outbox {
  const { options } = configuration;
  const { smtpUrl, mailFrom = '' } = options;
  const { clock = systemClock } = overrides;
  const transport =
    overrides.mailTransport ?? (smtpUrl && smtpTransport(smtpUrl, mailFrom, isLoopback(smtpUrl.hostname)));
  const cipher = {
    encrypt: (text: string) => keyring.encrypt('mail', text),
    decrypt: (text: string) => keyring.decrypt('mail', text),
  };
  const domain = mailFrom.replace(/>$/, '').split('@').at(-1) ?? 'localhost';
  const { productName, productColor: color, productLogo: logo } = options;
  const sender = { productName, color, logo, publicUrl: serviceUrl(configuration) };
  return new Outbox({ database, cipher, transport, clock, log, domain, sender });
}

/** Starts the work beside the requests. */
export function startJobs({ jobs, auth, audit, outbox, keepsMails }: Core): void {
  jobs.start({ name: 'note seen sessions', everyMs: flushSeenMs, run: () => auth.flushSeen() });
  jobs.start({ name: 'seal the audit record', everyMs: sealMs, run: async () => void (await audit.seal()) });
  jobs.start({
    name: 'purge',
    everyMs: purgeMs,
    run: async () => {
      await auth.purge();
      await audit.purge();
      await outbox.purge();
    },
  });
  if (!keepsMails)
    jobs.start({ name: 'send mails', everyMs: deliverMs, run: async () => void (await outbox.deliver()) });
}

// Builds the service: first the core, then every module of the list.
import { steadyClock, systemClock, type Clock } from '../kit/clock.ts';
import { Languages } from '../kit/language.ts';
import type { Log } from '../kit/log.ts';
import type { Keyring } from '../kit/keyring.ts';
import { once } from '../kit/once.ts';
import { rasterOf } from '../config/picture.ts';
import type { Database } from '../db/database.ts';
import { Hasher, type HasherOptions } from '../hash/hasher.ts';
import type { PasswordHasher } from '../identity/context.ts';
import { Audit, type Mac } from '../audit/audit.ts';
import { PageAssets } from '../brand/page-assets.ts';
import type { CookieScope } from '../http/cookie/cookie.ts';
import { Pages } from '../http/pages.ts';
import { RequestHooks } from '../http/server/request-hooks.ts';
import { ReturnTargets } from '../http/return-to.ts';
import { Jobs } from '../jobs/jobs.ts';
import { openKeyring } from '../keys/open-keyring.ts';
import { cipherOf } from '../keys/sealed.ts';
import { SigningKeys } from '../keys/signing-keys.ts';
import { mailKindsOf, type MailKind } from '../mail/mail-kind.ts';
import { mailContent } from '../mail/schema.ts';
import { Outbox } from '../mail/outbox.ts';
import { mailPausesMs } from '../mail/pace.ts';
import { mailServerOf, smtpTransport } from '../mail/smtp.ts';
import { Outgoing } from '../outgoing/outgoing.ts';
import { Exits } from '../page/exit.ts';
import { Notes } from '../http/cookie/note.ts';
import { PageKit } from '../page/page.ts';
import { BrowserCookies } from '../identity/browser-cookies.ts';
import { RequestedMails } from '../http/cookie/requested-mails.ts';
import { createIdentity, createPlugged, type Plugged } from '../identity/identity.ts';
import type { Configuration, IdentityCore, Module } from '../module.ts';
import { keyChangeRecorder } from './event.ts';
import { modules as allModules } from './modules.ts';
import type { BuiltModule, Service, Overrides } from './service.ts';

/**
 * Builds the service on an open database. `close()` of the service also closes the database.
 * @throws {KeysRefused} if the database was used with other keys; the database is then closed.
 */
export async function buildService(
  configuration: Configuration,
  database: Database,
  log: Log,
  overrides: Overrides = {},
): Promise<Service> {
  const { options, isPublic } = configuration;
  const { clock = systemClock, modules: list = allModules } = overrides;
  const keyring = await openKeyring(options, database, clock).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  const { hasher = hasherFor(configuration) } = overrides;
  const audit = buildAudit(configuration, { database, clock, keyring });
  const languages = new Languages(options.languagesDir?.catalogs);
  const mail = buildOutbox(
    configuration,
    { database, keyring, log, overrides, languages, kinds: mailKindsOf(list) },
    () => identity.tokens,
  );
  const plugged = pluggedOf(list);
  const identity = createIdentity(
    {
      db: database,
      hasher,
      clock,
      log,
      audit,
      post: mail,
      codes: macOf(keyring, 'code'),
      options,
    },
    plugged,
  );
  const record = keyChangeRecorder(identity.events);
  const signingKeys = new SigningKeys({ ...overrides, database, keyring, clock, record });
  plugged.purges.push(signingKeys);
  const assets = new PageAssets(options);
  const plugs = createPlugs();
  const core: IdentityCore = {
    ...identity,
    audit,
    cookies: buildCookies(configuration, { identity, keyring, clock }),
    keyring,
    mail,
    pages: buildPages(configuration, {
      clock,
      keyring,
      assets,
      languages,
      plugs,
      keepsMails: !isPublic && options.smtpUrl === undefined && overrides.mailTransport === undefined,
    }),
    plugs,
    signingKeys,
    outgoing: new Outgoing({ allowed: options.outboundAllow, allowsLoopback: !isPublic }),
  };
  const modules = list.map((each) => ({
    name: each.name,
    isOn: each.isOn(options),
    ...each.build(core, options),
  }));
  for (const built of modules) plugIn(built, plugged, plugs);
  const jobs = new Jobs(log);
  return {
    core,
    modules,
    hooks: new RequestHooks({ ...options, isPublic, clock: overrides.clock ?? steadyClock, log }),
    assets,
    jobs,
    close: once(async () => {
      await jobs.stop();
      mail.close();
      await identity.sessions.flush();
      await hasher.close();
      await audit.close();
      await database.close();
    }),
  };
}

/** What modules plug into the rules whether they are on or off. */
function pluggedOf(modules: readonly Module[]): Plugged {
  return createPlugged({
    tokenKinds: modules.flatMap(({ tokenKinds }) => tokenKinds),
    storedFactors: modules.flatMap(({ storedFactors }) => storedFactors),
    revokes: modules.flatMap(({ revokes }) => revokes),
    sessionEndings: modules.flatMap(({ sessionEndings }) => sessionEndings),
  });
}

function buildAudit(
  { options }: Configuration,
  { keyring, ...parts }: { readonly database: Database; readonly clock: Clock; readonly keyring: Keyring },
): Audit {
  const { auditDays: keptDays, auditEvents: maxEvents } = options;
  return new Audit({ ...parts, keptDays, maxEvents, mac: macOf(keyring, 'audit') });
}

interface CookieParts {
  readonly identity: Pick<IdentityCore, 'sessions' | 'devices'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
}

/** What all cookies have in common. */
function cookieScope({ isPublic, options }: Configuration): CookieScope {
  return { secure: isPublic, prefix: options.cookiePrefix };
}

function buildCookies(
  configuration: Configuration,
  { identity: { sessions, devices }, keyring, clock }: CookieParts,
): BrowserCookies {
  const scope = cookieScope(configuration);
  return new BrowserCookies({
    scope,
    sessionMs: sessions.life.sessionMs,
    deviceMs: () => devices.knownMs,
    requested: new RequestedMails({
      cipher: keyring.textCipher('requested-mails'),
      clock,
      scope,
      pausesMs: scope.secure ? mailPausesMs : [0],
    }),
  });
}

/** Returns a hasher with the costs of the options. `limits` are those of a service by default. */
export function hasherFor({ options }: Configuration, limits: HasherOptions = {}): PasswordHasher {
  return new Hasher({
    ...limits,
    threads: options.hashThreads,
    cost: { memoryKib: options.hashMemoryKib, passes: options.hashPasses },
  });
}

/** `PagePlugs` while its arrays are being filled. */
type FilledPlugs = { readonly [Name in keyof IdentityCore['plugs']]: IdentityCore['plugs'][Name][number][] };

function createPlugs(): FilledPlugs {
  const account = { sections: [], enrollments: [], parts: [] };
  const signIn = { prompts: [], signInWays: [], signUpWays: [], offers: [], destinations: [] };
  return { ...account, ...signIn, keptMails: [], localPages: [] };
}

/**
 * Adds the contributions of a module to the arrays. Data of a disabled module is still revoked, exported and removed.
 */
function plugIn(built: BuiltModule, plugged: Plugged, plugs: FilledPlugs): void {
  plugged.exports.push(...(built.exports ?? []));
  plugged.purges.push(...(built.purges ?? []));
  if (!built.isOn) return;
  if (built.secondFactor !== undefined) plugged.secondFactors.push(built.secondFactor);
  plugged.passwordChecks.push(...(built.passwordChecks ?? []));
  plugged.addressChecks.push(...(built.addressChecks ?? []));
  plugged.waysIn.push(...(built.waysIn ?? []));
  plugged.denials.push(...(built.denials ?? []));
  if (built.closedAccounts !== undefined) plugged.closedAccounts.push(built.closedAccounts);
  plugged.subscribes.push(...(built.subscribes ?? []));
  // A page with parts of several modules is listed once.
  plugs.sections.push(...(built.account ?? []).filter((section) => !plugs.sections.includes(section)));
  if (built.secondFactor?.isBackup === false) plugs.enrollments.push(...(built.account ?? []));
  plugs.parts.push(...(built.parts ?? []));
  if (built.keptMails !== undefined) plugs.keptMails.push(built.keptMails);
  plugs.localPages.push(...(built.localPages ?? []));
  plugs.prompts.push(...(built.prompts ?? []));
  plugs.signInWays.push(...(built.signInWays ?? []));
  plugs.signUpWays.push(...(built.signUpWays ?? []));
  plugs.offers.push(...(built.offers ?? []));
  plugs.destinations.push(...(built.destinations ?? []));
}

/** Keyed digests for one purpose. */
function macOf(keyring: Keyring, purpose: Parameters<Keyring['mac']>[0]): Mac {
  return {
    sign: (text) => keyring.mac(purpose, text),
    check: (text, mac) => keyring.checkMac(purpose, text, mac),
  };
}

/** Returns the configured address of the service. It is never taken from a request (host header injection, CWE-640). */
function serviceUrl({ options: { publicUrl, port } }: Configuration): string {
  return publicUrl?.origin ?? `http://localhost:${port}`;
}

interface PageParts {
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly assets: PageAssets;
  readonly languages: Languages;
  readonly plugs: IdentityCore['plugs'];
  readonly keepsMails: boolean;
}

function buildPages(
  configuration: Configuration,
  { clock, keyring, assets, languages, plugs, keepsMails }: PageParts,
): PageKit {
  const { options, isPublic } = configuration;
  const scope = cookieScope(configuration);
  const { productName, termsUrl: terms, privacyUrl: privacy, supportUrl: support } = options;
  const publicOrigin = serviceUrl(configuration);
  const returnTargets = new ReturnTargets({
    ownOrigin: publicOrigin,
    allowedOrigins: options.allowedOrigins,
    allowsLoopback: !isPublic,
  });
  const links = Object.entries({ terms, privacy, support }).filter(([, url]) => url !== undefined);
  return new PageKit({
    pages: new Pages({
      productName,
      links: Object.fromEntries(links),
      assets,
      languages,
      cookies: scope,
    }),
    returnTargets,
    forms: macOf(keyring, 'form'),
    notes: new Notes({ cipher: keyring.textCipher('page-note'), clock, scope }),
    exits: new Exits({ cipher: keyring.textCipher('page-exit'), clock, ownOrigin: publicOrigin }),
    publicOrigin,
    isSignUpOpen: options.signUp === 'open',
    keepsMails,
    passwordMinLength: options.passwordMinLength,
    ...plugs,
  });
}

interface OutboxParts {
  readonly database: Database;
  readonly keyring: Keyring;
  readonly log: Log;
  readonly overrides: Overrides;
  readonly languages: Languages;
  readonly kinds: readonly MailKind[];
}

function buildOutbox(
  configuration: Configuration,
  { database, keyring, log, overrides, languages, kinds }: OutboxParts,
  tokens: () => IdentityCore['tokens'],
): Outbox {
  const { options, isPublic: isPaced } = configuration;
  const { clock = systemClock } = overrides;
  const server = mailServerOf(options);
  const transport = overrides.mailTransport ?? (server && smtpTransport(server));
  const cipher = cipherOf(keyring, mailContent);
  const domain = options.mailFrom?.domain ?? 'localhost';
  const { productName, productColor: color } = options;
  const logo = rasterOf(options.productLogo);
  const sender = { productName, color, logo, languages, publicUrl: serviceUrl(configuration) };
  const isTokenLive = (id: string): Promise<boolean> => tokens().isLive(id);
  return new Outbox({ database, cipher, transport, clock, log, domain, sender, kinds, isPaced, isTokenLive });
}

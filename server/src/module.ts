// The contract between the core and a module: what each receives from the other. Types, and `module()`.
import type { FastifyPluginAsync } from 'fastify';
import { addMessages } from './kit/language.ts';
import type { Keyring } from './kit/keyring.ts';
import type { OptionCheck, OptionTable, OptionValues } from './config/option.ts';
import type { coreOptions } from './config/options.ts';
import type { Configuration as ConfigurationOf } from './config/read-options.ts';
import type { Migration } from './db/migration.ts';
import type { SealedColumn } from './db/schema.ts';
import type { Audit } from './audit/audit.ts';
import type { Job } from './jobs/jobs.ts';
import type { SigningKeys } from './keys/signing-keys.ts';
import type { MailKind } from './mail/mail-kind.ts';
import type { Outbox } from './mail/outbox.ts';
import type { Outgoing } from './outgoing/outgoing.ts';
import type { FeatureCommand } from './operation/command.ts';
import type { AccountSection, KeptMailPage, LocalPage, SectionPart } from './page/account-section.ts';
import type { Destination, PageKit } from './page/page.ts';
import type { identityOptions } from './identity/options.ts';
import type { SecondFactor, StoredFactor } from './identity/factor/factor.ts';
import type { EventKind, EventSubscriber } from './identity/event.ts';
import type { FactorPrompt } from './identity/factor/prompt.ts';
import type { BrowserCookies } from './identity/browser-cookies.ts';
import type { Identity, Plugged, WayIn } from './identity/identity.ts';
import type { TokenKind } from './identity/token/kinds.ts';
import type { SignInOffer, SignInWay } from './page/sign-in-way.ts';

/**
 * Who may call a route. `open`: all clients. `optional`: all clients; a live session is recognized. `session`: a live
 * session. `pending`: a login that requires a second factor. `enrollment`: a session, or a login that must bind an
 * authenticator first. `admin` and `client` are reserved.
 */
export type AccessLevel = 'open' | 'optional' | 'session' | 'pending' | 'enrollment' | 'admin' | 'client';

/** The rules and services that a feature may use. Its `build` passes on only those that it needs, by name. */
export interface Core extends Pick<
  Identity,
  | 'context'
  | 'access'
  | 'accounts'
  | 'details'
  | 'devices'
  | 'enrollment'
  | 'events'
  | 'passwordReset'
  | 'secondFactors'
  | 'sessions'
  | 'signIn'
  | 'stepUp'
  | 'tokens'
> {
  readonly audit: Audit;
  readonly cookies: BrowserCookies;
  readonly keyring: Keyring;
  readonly mail: Outbox;
  readonly pages: PageKit;
  /** What the service signs tokens with, and publishes to their verifiers. */
  readonly signingKeys: SigningKeys;
  /** Requests to servers that applications name. */
  readonly outgoing: Outgoing;
}

/** Contributions of modules to pages. Complete before the first request. */
interface PagePlugs {
  readonly sections: readonly AccountSection[];
  /** Pages that enroll an authenticator. */
  readonly enrollments: readonly AccountSection[];
  readonly parts: readonly SectionPart[];
  readonly keptMails: readonly KeptMailPage[];
  readonly localPages: readonly LocalPage[];
  readonly prompts: readonly FactorPrompt[];
  readonly signInWays: readonly SignInWay[];
  readonly signUpWays: readonly SignInWay[];
  readonly offers: readonly SignInOffer[];
  readonly destinations: readonly Destination[];
}

/** The core for the modules of identity: all rules, and the contributions of other modules to their pages. */
export interface IdentityCore extends Core, Identity {
  readonly plugs: PagePlugs;
}

/** Routes at one access level: for programs (`json`, part of the API) or for people (`pages`). */
export type RouteSet = { readonly access: AccessLevel } & (
  | { readonly json: FastifyPluginAsync; readonly pages?: undefined }
  | { readonly pages: FastifyPluginAsync; readonly json?: undefined }
);

/** What a module contributes. */
export interface Contribution {
  readonly routes?: readonly RouteSet[];
  readonly secondFactor?: SecondFactor;
  /** How pages ask for an authenticator. */
  readonly prompts?: readonly FactorPrompt[];
  /** Ways to sign in and to register other than the password. */
  readonly signInWays?: readonly SignInWay[];
  readonly signUpWays?: readonly SignInWay[];
  /** Pages that are offered after a sign-in with a password. */
  readonly offers?: readonly SignInOffer[];
  /** Names the applications to which users continue after pages. */
  readonly destinations?: readonly Destination[];
  /** Pages of the account, and parts of such pages. */
  readonly account?: readonly AccountSection[];
  readonly parts?: readonly SectionPart[];
  /** Page on which emails are read that are kept instead of sent. */
  readonly keptMails?: KeptMailPage;
  /** Pages for developers, listed on the start page in local mode. */
  readonly localPages?: readonly LocalPage[];
  /** Members of the copy of their data that users can download. */
  readonly exports?: Readonly<Plugged['exports']>;
  readonly purges?: Readonly<Plugged['purges']>;
  readonly jobs?: readonly Job[];
  /** Run before the service listens, one after the other. If one throws, the service does not start. */
  readonly starts?: readonly (() => Promise<void>)[];
  readonly passwordChecks?: Readonly<Plugged['passwordChecks']>;
  readonly addressChecks?: Readonly<Plugged['addressChecks']>;
  /** Ways to sign in to an account that has neither a password nor an authenticator. */
  readonly waysIn?: readonly WayIn[];
  /** What a user may not do who can sign in. */
  readonly denials?: Readonly<Plugged['denials']>;
  /** Tells users who sign in to an account that they closed, and reopens it. */
  readonly closedAccounts?: Plugged['closedAccounts'][number];
  /** Run for each event, inside its transaction. */
  readonly subscribes?: readonly EventSubscriber[];
}

/** The options that every module may read: those of the core and of identity. */
export type SharedTable = typeof coreOptions & typeof identityOptions;
type SharedOptions = OptionValues<SharedTable>;

/** The options and mode of a service. */
export type Configuration = ConfigurationOf<SharedTable>;

/** The table of a module without options: it adds nothing to the shared options. */
type NoOptions = Pick<typeof coreOptions, 'publicUrl'>;

/** What commands of a feature may use: parts of the core, and the shared options with its own ones. */
interface CommandParts<Options> extends Pick<Core['context'], 'db' | 'clock'>, Pick<Core, 'events'> {
  readonly options: Options;
}

interface Definition<Given extends Core, Table extends OptionTable> {
  /** The name of its folder. */
  readonly name: string;
  /** Its title in the reference. The default is its name in words. */
  readonly title?: string;
  /** Its own options. */
  readonly options?: Table;
  /** Rejects combinations of values. */
  readonly check?: OptionCheck<SharedOptions & OptionValues<NoInfer<Table>>>;
  /** The events that it emits (docs/reference/events.md). */
  readonly events?: Readonly<Record<string, EventKind>>;
  /** Mails that it sends in addition to those of its events. */
  readonly mails?: readonly MailKind[];
  /** Folder of its messages: `new URL('./messages/', import.meta.url).href`. */
  readonly messages?: string;
  /** Numbered steps of its schema; they run whether it is on or off. */
  readonly migrations?: readonly Migration[];
  /** Its columns of encrypted texts, which `bienvenue key reseal` encrypts again. */
  readonly sealed?: readonly SealedColumn[];
  /** Kinds of mailed tokens that it issues. They are known whether it is on or off, and to the class `Auth`. */
  readonly tokenKinds?: readonly TokenKind[];
  /**
   * What it stores about second factors: removed, exported and counted whether it is on or off, and by the class `Auth`.
   */
  readonly storedFactors?: readonly StoredFactor[];
  /** Its commands of `bienvenue`. They exist whether it is on or off. */
  readonly commands?: readonly FeatureCommand<CommandParts<SharedOptions & OptionValues<NoInfer<Table>>>>[];
  /**
   * Access that ends with a password, an address or the account, after that of identity: whether it is on or off, and by
   * the class `Auth`.
   */
  readonly revokes?: Readonly<Plugged['revokes']>;
  /** Run when sessions end, whether it is on or off, and by the classes `Auth` and `DB`. */
  readonly sessionEndings?: Readonly<Plugged['sessionEndings']>;
  /**
   * Returns false if the options disable the module: it then has no routes, pages, prompts, checks or jobs. Its stored
   * data is still exported, revoked and removed.
   */
  readonly isOn?: (options: SharedOptions & OptionValues<Table>) => boolean;
  readonly build?: (core: Given, options: SharedOptions & OptionValues<Table>) => Contribution;
}

/** A module as `app/modules.ts` lists it. */
export interface Module {
  readonly name: string;
  readonly title: string;
  /** Its own options. */
  readonly options: OptionTable;
  readonly check: OptionCheck<SharedOptions>;
  readonly events: readonly EventKind[];
  readonly mails: readonly MailKind[];
  readonly migrations: readonly Migration[];
  readonly sealed: readonly SealedColumn[];
  readonly tokenKinds: readonly TokenKind[];
  readonly storedFactors: readonly StoredFactor[];
  readonly revokes: Readonly<Plugged['revokes']>;
  readonly sessionEndings: Readonly<Plugged['sessionEndings']>;
  readonly commands: readonly FeatureCommand<CommandParts<SharedOptions>>[];
  readonly isOn: (options: SharedOptions) => boolean;
  readonly build: (core: IdentityCore, options: SharedOptions) => Contribution;
}

/** Declares a feature. */
export function module<Table extends OptionTable = NoOptions>(definition: Definition<Core, Table>): Module {
  return identityModule(definition);
}

/** Declares a module of identity. It receives all rules and cannot be disabled. */
export function identityModule<Table extends OptionTable = NoOptions>({
  name,
  title = inWords(name),
  options,
  check = () => [],
  events = {},
  mails = [],
  messages,
  migrations = [],
  sealed = [],
  tokenKinds = [],
  storedFactors = [],
  commands = [],
  revokes = [],
  sessionEndings = [],
  isOn = () => true,
  build = () => ({}),
}: Definition<IdentityCore, Table>): Module {
  if (messages !== undefined) addMessages(messages);
  // Safe casts: the service reads the options of all modules, so the values include those that this module declares.
  return {
    name,
    title,
    options: options ?? {},
    check: check as Module['check'],
    events: Object.values(events),
    mails,
    migrations,
    sealed,
    tokenKinds,
    storedFactors,
    commands: commands as Module['commands'],
    revokes,
    sessionEndings,
    isOn: isOn as Module['isOn'],
    build: build as Module['build'],
  };
}

function inWords(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll('-', ' ')}`;
}

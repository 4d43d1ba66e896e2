// Declares and emits events. Each module declares its events in a file `event.ts`; only `Events.emit` records one,
// mails it to the owner of the account and passes it to subscribers.
//
// Constant work: without a user the same statements run and no mail is stored, so that timing does not reveal whether
// an address has an account.
import type { Clock } from '../kit/clock.ts';
import type { Database } from '../db/database.ts';
import type {
  AuditFacts,
  AuditOutcome,
  AuditSource,
  AuditTarget,
  Recorder,
  VocabularyName,
} from '../audit/event.ts';
import type { Admission, AdmittedRequest, MailKind, MailRequest, NewMail } from '../mail/mail-kind.ts';
import type { NoFacts } from '../mail/mail-kind.ts';
import { registerEvent, type EventTexts } from './event-display.ts';
import { languageOfMail, type ClientIdentity } from './mail-language.ts';
import { isSameAddress, toEmailAddress } from '../user/email-address.ts';
import { noUserId, type User } from '../user/user.ts';

/** Type of a fact: a word of the service, a number, or several words. Never client input (log injection). */
type FactType = 'text' | 'number' | 'texts';

/** Names and types of an event's facts. */
type FactTypes = Readonly<Record<string, FactType>>;

interface FactValues {
  readonly text: string;
  readonly number: number;
  readonly texts: readonly string[];
}

type FactsOf<F extends FactTypes> = { readonly [N in keyof F]: FactValues[F[N]] };

/** One event, as its module declares it. */
interface EventRow extends EventTexts {
  /** Name in the OWASP Logging Vocabulary: column `event`. */
  readonly vocabulary: VocabularyName;
  readonly outcome: AuditOutcome;
  readonly facts?: FactTypes;
  /** The mail that the owner of the account gets each time. */
  readonly mail?: MailKind;
  /** Of a failure: the success in its place for other addresses. Constant work: both are recorded each time. */
  readonly insteadOf?: string;
}

/** A declared event, with the types of its facts and of its mail's facts. */
export interface EventKind<F extends FactTypes = FactTypes, M = unknown> extends Omit<
  EventRow,
  'facts' | 'mail'
> {
  /** Stable, and unique among all modules: column `reason`. */
  readonly name: string;
  readonly module: string;
  readonly facts: F;
  readonly mail: MailKind<M> | undefined;
}

type NoFactTypes = Readonly<Record<string, never>>;
/** An event without facts of its own. */
export type PlainEvent<M = never> = EventKind<NoFactTypes, M>;

type KindOf<R extends EventRow> = EventKind<
  R extends { readonly facts: infer F extends FactTypes } ? F : NoFactTypes,
  R extends { readonly mail: MailKind<infer M> } ? M : never
>;
type EventKinds<R extends Readonly<Record<string, EventRow>>> = { readonly [N in keyof R]: KindOf<R[N]> };

/** Declares the events of a module by their names. */
export function defineEvents<const R extends Readonly<Record<string, EventRow>>>(
  module: string,
  rows: R,
): EventKinds<R> {
  const kinds = Object.entries(rows).map(([name, { facts = {}, mail, ...row }]) => {
    registerEvent(name, row);
    return [name, { ...row, name, module, facts, mail }] as const;
  });
  return Object.fromEntries(kinds) as EventKinds<R>; // the same names, each with the type of its row
}

type EventSource = AuditSource & ClientIdentity;

/** Parameters of a mail with facts. */
interface MailOf<M> {
  readonly facts: M;
  /** Another stored address than the account's. */
  readonly recipient?: string;
  /** How long it is worth sending, if not as long as its kind says. */
  readonly lifeMs?: number;
}

/** Parameters of `emit` for an event with these facts and this mail. */
type Emission<F extends FactTypes, M> = {
  readonly source: EventSource;
  readonly target?: AuditTarget;
} & (string extends keyof F ? { readonly facts?: undefined } : { readonly facts: FactsOf<F> }) &
  ([M] extends [never]
    ? { readonly user?: { readonly id: number } | undefined; readonly mail?: undefined }
    : { readonly user: User | undefined } & ([NoFacts] extends [M]
        ? { readonly mail?: undefined }
        : { readonly mail: MailOf<M> }));

/** What a requested mail may do to the tokens of its recipient. */
export type TokenGrant = Pick<Admission, 'dueAt' | 'replacedTokens' | 'mayReplaceToken'>;

/** Facts of a mail, and the token that they contain. */
export interface LetterFacts<M> {
  readonly facts: M;
  /** Id of the issued token; null for a mail without one; `undefined` if none was issued: then no mail is stored. */
  readonly tokenId: string | null | undefined;
}

/** Parameters of `send`: a mail that is not sent with each event of a kind. */
type Letter<M> = {
  /** The owner; without one the same statements run and no mail is stored. */
  readonly user: User | undefined;
  readonly source: EventSource;
  /** Another address than the account's. */
  readonly recipient?: string;
  /** How long it is worth sending, if not as long as its kind says. */
  readonly lifeMs?: number;
  /** The requester has just proved to own the account by a mailed token: no pause applies. */
  readonly isProven?: boolean;
  /** Sent in place of the mail, under the same record: the user cannot see the difference. */
  readonly substitute?: { readonly kind: MailKind<NoFacts>; readonly language: string | null } | undefined;
} & ([NoFacts] extends [M]
  ? { readonly facts?: undefined }
  : {
      /** Creates the facts for the recipient; called with `undefined` if the mail is not stored. */
      readonly facts: (recipient: User | undefined, grant: TokenGrant) => Promise<LetterFacts<M>>;
    });

/** An event that was emitted. */
export interface EmittedEvent {
  readonly kind: EventKind;
  readonly userId: number | undefined;
  readonly target: AuditTarget | undefined;
  readonly facts: AuditFacts;
  readonly source: AuditSource;
}

/** Runs in the transaction of the action. If it throws, the action is rolled back. */
export type EventSubscriber = (tx: Database, event: EmittedEvent) => Promise<void>;

/** Stores mails in the transaction of their cause. The class Outbox does it. */
export interface MailQueue {
  /** Public URL of the service, the base of links in mails. */
  readonly publicUrl: string;
  post(tx: Database, mail: NewMail): Promise<void>;
  /** Decides when a requested mail may be sent, and withdraws the unsent mails that it replaces. */
  admit(tx: Database, request: MailRequest): Promise<Admission>;
  /** Removes the user's mails of the kind that were not sent yet. */
  withdraw(tx: Database, userId: number, kind: string): Promise<void>;
}

export interface EventsOptions {
  readonly audit: Recorder;
  /** Undefined if no mail is sent. */
  readonly outbox: MailQueue | undefined;
  readonly clock: Clock;
  readonly subscribers?: readonly EventSubscriber[];
  /** Returns true if a request comes from a session or a known device of the user. */
  readonly isOwner?: OwnerCheck;
}

/** Runs inside the transaction of the request. */
export type OwnerCheck = (tx: Database, user: User | undefined, source: EventSource) => Promise<boolean>;

/** A mail with its facts, before it is composed. */
interface PostedMail<M> extends MailOf<M> {
  readonly source: EventSource;
  readonly substitute?: Letter<NoFacts>['substitute'];
  readonly request?: AdmittedRequest | undefined;
  readonly isOwner?: boolean | undefined;
  readonly tokenId?: string | undefined;
}

/** Where no mail is sent, there is nothing to limit. */
const unlimited: Admission = { dueAt: undefined, replacedTokens: [], mayReplaceToken: true };

/** Emits events and sends mails. */
export class Events {
  readonly #audit: Recorder;
  readonly #outbox: MailQueue | undefined;
  readonly #clock: Clock;
  readonly #subscribers: readonly EventSubscriber[];
  readonly #isOwner: OwnerCheck;

  constructor({ audit, outbox, clock, subscribers = [], isOwner = async () => false }: EventsOptions) {
    this.#audit = audit;
    this.#outbox = outbox;
    this.#clock = clock;
    this.#subscribers = subscribers;
    this.#isOwner = isOwner;
  }

  /**
   * Records an event, mails it to the owner if its kind has a mail, and passes it to the subscribers. Inside the
   * transaction of the action: all or nothing.
   */
  async emit<F extends FactTypes, M>(
    tx: Database,
    kind: EventKind<F, M>,
    emission: Emission<F, M>,
  ): Promise<void> {
    const { user, source, target, mail } = emission;
    const facts: AuditFacts | undefined = emission.facts; // its type is computed from F
    const named = { event: kind.vocabulary, outcome: kind.outcome, reason: kind.name };
    await this.#audit.record(
      tx,
      {
        ...named,
        ...(user !== undefined && { userId: user.id }),
        ...(target !== undefined && { target }),
        ...(facts !== undefined && { facts }),
        ...(kind.outcome === 'failure' && kind.insteadOf === undefined && { isRepeatable: true }),
      },
      source,
    );
    if (kind.mail !== undefined) {
      const owner = user as User | undefined; // Emission asks for a User where the kind has a mail
      await this.#post(tx, kind.mail, owner, { facts: {} as M, ...mail, source }); // no facts, if Emission asks for none
    }
    const event = { kind, userId: user?.id, target, facts: facts ?? {}, source };
    for (const notify of this.#subscribers) await notify(tx, event);
  }

  /**
   * Sends a mail that is not sent with each event of a kind, and returns the user who gets it. A mail of a requested
   * kind may wait for the end of a pause. Inside the transaction of its cause.
   */
  async send<M>(tx: Database, kind: MailKind<M>, letter: Letter<M>): Promise<User | undefined> {
    const { user, facts: factsFor } = letter;
    const isOwner = kind.isRequested ? await this.#isOwner(tx, user, letter.source) : undefined;
    const request = isOwner === undefined ? undefined : await this.#admit(tx, kind, { ...letter, isOwner });
    const admission = request?.admission ?? unlimited;
    const admitted = request !== undefined && admission.dueAt === undefined ? undefined : user;
    // Also runs if no mail is sent: a program may deliver the token itself.
    const made = await factsFor?.(admitted, admission);
    const owner = made !== undefined && made.tokenId === undefined ? undefined : admitted;
    await this.#post(tx, kind, owner, {
      ...letter,
      facts: made?.facts ?? ({} as M), // absent only where M is NoFacts
      tokenId: made?.tokenId ?? undefined,
      isOwner: isOwner || letter.isProven,
      request: request && (owner === undefined ? { ...request, addressKey: '' } : request),
    });
    return owner;
  }

  async #admit<M>(
    tx: Database,
    { name: kind }: MailKind<M>,
    { user, recipient, isOwner, isProven = false }: Letter<M> & { readonly isOwner: boolean },
  ): Promise<AdmittedRequest | undefined> {
    if (this.#outbox === undefined) return undefined;
    const text = user === undefined ? '' : (recipient ?? user.email);
    const addressKey = toEmailAddress(text)?.key ?? text;
    const isForeign = user !== undefined && recipient !== undefined && !isSameAddress(recipient, user.email);
    const own = isForeign ? 'member' : 'owner';
    const requestedBy = isOwner || isProven ? own : 'stranger';
    const userId = user?.id ?? noUserId;
    const admission = await this.#outbox.admit(tx, { kind, userId, addressKey, requestedBy, isProven });
    return { requestedBy, addressKey, admission };
  }

  async #post<M>(
    tx: Database,
    kind: MailKind<M>,
    user: User | undefined,
    { facts, recipient, lifeMs, source, substitute, isOwner, ...request }: PostedMail<M>,
  ): Promise<void> {
    if (this.#outbox === undefined) return;
    const { address, device } = source;
    const at = this.#clock();
    const userId = user?.id ?? noUserId;
    if (kind.replacesEarlier) await this.#outbox.withdraw(tx, userId, kind.name);
    await this.#outbox.post(tx, {
      kind: kind.name,
      messages: substitute?.kind.name ?? kind.name,
      outline: substitute?.kind.compose({}) ?? kind.compose(facts),
      userId,
      recipient: recipient ?? user?.email ?? '',
      language:
        substitute === undefined
          ? await languageOfMail(user, source, async () => isOwner ?? this.#isOwner(tx, user, source))
          : (substitute.language ?? undefined),
      occasion: { at, ...(address !== undefined && { address }), ...(device !== undefined && { device }) },
      expiresAt: (request.request?.admission.dueAt ?? at) + (lifeMs ?? kind.lifeMs),
      request: request.request,
      tokenId: request.tokenId,
    });
  }
}

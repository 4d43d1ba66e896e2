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
import type { MailKind, MailOutline, NoFacts } from '../mail/mail-kind.ts';
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
interface EventRow {
  /** Name in the OWASP Logging Vocabulary: column `event`. */
  readonly vocabulary: VocabularyName;
  readonly outcome: AuditOutcome;
  /** One sentence for docs/reference/events.md. */
  readonly says: string;
  readonly facts?: FactTypes;
  /** The mail that the owner of the account gets each time. */
  readonly mail?: MailKind;
}

/** A declared event, with the types of its facts and of its mail's facts. */
export interface EventKind<F extends FactTypes = FactTypes, M = unknown> {
  /** Stable, and unique among all modules: column `reason`. */
  readonly name: string;
  readonly module: string;
  readonly vocabulary: VocabularyName;
  readonly outcome: AuditOutcome;
  readonly says: string;
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
  const kinds = Object.entries(rows).map(([name, { facts = {}, mail, ...row }]) => [
    name,
    { ...row, name, module, facts, mail },
  ]);
  return Object.fromEntries(kinds) as EventKinds<R>; // the same names, each with the type of its row
}

/** Source of an action, and the language of its client. */
type EventSource = AuditSource & { readonly language?: string | undefined };

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

/** Parameters of `send`: a mail that is not sent with each event of a kind. */
type Letter<M> = {
  /** The owner; without one the same statements run and no mail is stored. */
  readonly user: User | undefined;
  readonly source: EventSource;
  /** Another stored address than the account's. */
  readonly recipient?: string;
  /** How long it is worth sending, if not as long as its kind says. */
  readonly lifeMs?: number;
  /** Sends at most one mail of the kind per minute, because anonymous requests must not flood a mailbox. */
  readonly isLimited?: boolean;
} & ([NoFacts] extends [M]
  ? { readonly facts?: undefined }
  : {
      /** Creates the facts for the recipient; called with `undefined` if the mail is not stored. */
      readonly facts: (recipient: User | undefined) => Promise<M>;
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

interface NewMail {
  /** Name of its kind. */
  readonly kind: string;
  readonly outline: MailOutline;
  /** The owner; `noUserId` stores no mail. */
  readonly userId: number;
  readonly recipient: string;
  readonly language: string | undefined;
  /** Unix milliseconds, network address and user agent of the action. */
  readonly occasion: { readonly at: number; readonly address?: string; readonly device?: string };
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** Stores mails in the transaction of their cause. The class Outbox does it. */
export interface MailQueue {
  /** Public URL of the service, the base of links in mails. */
  readonly publicUrl: string;
  post(tx: Database, mail: NewMail): Promise<void>;
  /** Returns true if a mail of the kind was posted for the user within a minute. */
  hasPosted(tx: Database, userId: number, kind: string): Promise<boolean>;
  /** Removes the user's mails of the kind that were not sent yet. */
  withdraw(tx: Database, userId: number, kind: string): Promise<void>;
}

export interface EventsOptions {
  readonly audit: Recorder;
  /** Undefined if no mail is sent. */
  readonly outbox: MailQueue | undefined;
  readonly clock: Clock;
  readonly subscribers?: readonly EventSubscriber[];
}

/** Emits events and sends mails. */
export class Events {
  readonly #audit: Recorder;
  readonly #outbox: MailQueue | undefined;
  readonly #clock: Clock;
  readonly #subscribers: readonly EventSubscriber[];

  constructor({ audit, outbox, clock, subscribers = [] }: EventsOptions) {
    this.#audit = audit;
    this.#outbox = outbox;
    this.#clock = clock;
    this.#subscribers = subscribers;
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
    await this.#audit.record(
      tx,
      {
        event: kind.vocabulary,
        outcome: kind.outcome,
        reason: kind.name,
        ...(user !== undefined && { userId: user.id }),
        ...(target !== undefined && { target }),
        ...(facts !== undefined && { facts }),
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
   * Sends a mail that is not sent with each event of a kind, and returns the user who gets it. Inside the transaction
   * of its cause.
   */
  async send<M>(tx: Database, kind: MailKind<M>, letter: Letter<M>): Promise<User | undefined> {
    const { user, isLimited = false, facts: factsFor, source, recipient, lifeMs } = letter;
    const isFlood = isLimited && (await this.#outbox?.hasPosted(tx, user?.id ?? noUserId, kind.name));
    const owner = isFlood === true ? undefined : user;
    // Also runs if no mail is sent: a program may deliver the token itself.
    const facts = factsFor === undefined ? ({} as M) : await factsFor(owner); // absent only where M is NoFacts
    await this.#post(tx, kind, owner, {
      facts,
      source,
      ...(recipient !== undefined && { recipient }),
      ...(lifeMs !== undefined && { lifeMs }),
    });
    return owner;
  }

  async #post<M>(
    tx: Database,
    kind: MailKind<M>,
    user: User | undefined,
    { facts, recipient, lifeMs, source }: MailOf<M> & { readonly source: EventSource },
  ): Promise<void> {
    if (this.#outbox === undefined) return;
    const { address, device } = source;
    const at = this.#clock();
    const userId = user?.id ?? noUserId;
    if (kind.replacesEarlier) await this.#outbox.withdraw(tx, userId, kind.name);
    await this.#outbox.post(tx, {
      kind: kind.name,
      outline: kind.compose(facts),
      userId,
      recipient: recipient ?? user?.email ?? '',
      language: user?.language ?? source.language,
      occasion: { at, ...(address !== undefined && { address }), ...(device !== undefined && { device }) },
      expiresAt: at + (lifeMs ?? kind.lifeMs),
    });
  }
}

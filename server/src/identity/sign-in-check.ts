// Reads the facts of `explainSignIn` from the database, by asking the rules that decide a sign-in.
import { dayMs } from '../kit/clock.ts';
import { listEvents } from '../audit/store.ts';
import type { AuditEvent } from '../audit/event.ts';
import { readHash } from '../hash/format.ts';
import { UnreadableHash } from '../hash/stored-hash.ts';
import { listMailsSince, type MailDelivery } from '../mail/store.ts';
import type { EmailAddress } from '../user/email-address.ts';
import { findUserByEmail } from '../user/store.ts';
import { noUserId, type User } from '../user/user.ts';
import { findEvent } from './event-display.ts';
import { explainSignIn } from './explain-sign-in.ts';
import type { Identity } from './identity.ts';
import { listDevices } from './sign-in/device-store.ts';
import type { AccountFacts, Finding, StoredMail } from './sign-in-facts.ts';

/** Emails of this time are looked at. */
const mailDays = 2;
const maxMails = 20;
/** Events of the account in which its last refusals are looked for, and how many of them are returned. */
const readEvents = 200;
const maxRefusals = 5;

/** What `user why` and the console show. */
export interface SignInCheck {
  readonly user: User | undefined;
  readonly findings: readonly Finding[];
  /** The last refused sign-ins of the account, newest first. */
  readonly refusals: readonly Refusal[];
}

/** A refused sign-in in the audit log. */
interface Refusal extends Pick<AuditEvent, 'at' | 'reason' | 'address'> {
  readonly says: string | undefined;
  readonly remedy: string | undefined;
}

/** The rules that are asked. */
type Rules = Pick<Identity, 'attempts' | 'context' | 'plugged' | 'registrations' | 'secondFactors'>;

/** Explains whether and why the user of an address cannot sign in. Changes nothing. */
export async function checkSignIn(rules: Rules, email: EmailAddress): Promise<SignInCheck> {
  const { attempts, context, plugged } = rules;
  const { db, clock, emailConfirmation, isSignUpOpen } = context;
  const now = clock();
  const user = await findUserByEmail(db, email);
  const userId = user?.id ?? noUserId;
  const devices = await listDevices(db, userId, now);
  const ids = devices.map(({ id }) => id);
  const counted = await attempts.list(userId, email.key, ids);
  const findings = explainSignIn({
    now,
    email: email.text,
    account: user && (await accountFacts(rules, user, now)),
    counters: counted.map(({ subject, factor, failures, next_at: nextAt }) => ({
      factor,
      isOnKnownDevice: subject.startsWith('device:'),
      failures,
      nextAt,
    })),
    emailConfirmation,
    isSignUpOpen,
    denials: user ? (await Promise.all(plugged.denials.map((find) => find(db, user)))).flat() : [],
    hasOtherWayIn: await isAny(plugged.waysIn.map((isWayIn) => isWayIn(db, userId))),
  });
  const events = user === undefined ? [] : await listEvents(db, { userId, limit: readEvents });
  return {
    user,
    findings,
    refusals: events
      .filter(({ event }) => isRefusal(event))
      .slice(0, maxRefusals)
      .map(({ at, reason, address }) => {
        const { says, remedy } = findEvent(reason) ?? {};
        return { at, reason, address, says, remedy };
      }),
  };
}

async function isAny(answers: readonly Promise<boolean>[]): Promise<boolean> {
  return (await Promise.all(answers)).includes(true);
}

/** Returns whether an event of this name in the vocabulary is a refused sign-in. */
export function isRefusal(vocabulary: string): boolean {
  return /^authn_login_(?:fail|lock)/.test(vocabulary);
}

async function accountFacts(
  { context: { db, hasher }, registrations, secondFactors }: Rules,
  user: User,
  now: number,
): Promise<AccountFacts> {
  const { id, hashedPassword } = user;
  const requirement = await secondFactors.requirementOf(db, id);
  const hashFault = faultOf(hashedPassword);
  const readable = hasher.isOutdated(hashedPassword) ? 'imported' : 'current';
  return {
    emailVerifiedAt: user.emailVerifiedAt,
    disabledAt: user.disabledAt,
    deleteAt: user.deleteAt,
    provisionalUntil: user.provisionalUntil,
    registrations: (await registrations.list(id)).length,
    password: hashedPassword === null ? 'none' : hashFault === undefined ? readable : 'unreadable',
    hashFault,
    hasFactorAsWayIn: await secondFactors.hasWayIn(db, id),
    required: requirement?.kind === 'second_factor' ? requirement.factors : [],
    stored: await secondFactors.storedOf(db, id),
    enrollable: requirement?.kind === 'enrollment' ? requirement.factors : undefined,
    mails: (await listMailsSince(db, { userId: id, since: now - mailDays * dayMs, limit: maxMails })).map(
      toMail,
    ),
  };
}

/** Returns why a hash cannot be verified; `undefined` if it can or is absent. */
function faultOf(hashed: string | null): string | undefined {
  if (hashed === null) return undefined;
  try {
    readHash(hashed);
    return undefined;
  } catch (error) {
    if (error instanceof UnreadableHash) return error.message;
    throw error;
  }
}

function toMail({ sent_at: sentAt, given_up_at: givenUpAt, ...mail }: MailDelivery): StoredMail {
  const unsent = givenUpAt === null ? 'waiting' : 'given_up';
  return {
    id: mail.id,
    kind: mail.kind,
    state: sentAt === null ? unsent : 'sent',
    createdAt: mail.created_at,
    nextAt: mail.next_at,
    error: mail.last_error,
  };
}

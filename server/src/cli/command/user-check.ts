// The commands that show the state of an account and correct it: show, why, confirm, unlock.
import type { Command } from 'commander';
import { formatInstant } from '../../kit/clock.ts';
import type { JsonObject, Metadata } from '../../user/details.ts';
import { findMetadata, findUserByExternalId, findUserBySubject } from '../../user/details-store.ts';
import { keyOfAddress, requireEmailAddress } from '../../user/email-address.ts';
import type { User } from '../../user/user.ts';
import { resetAttempts } from '../../identity/attempts-reset.ts';
import type { Finding } from '../../identity/sign-in-facts.ts';
import { listDevices } from '../../identity/sign-in/device-store.ts';
import { checkSignIn } from '../../identity/sign-in-check.ts';
import { maxAttempts } from '../../identity/attempt/store.ts';
import type { MarkedAs } from '../../identity/account/verification.ts';
import type { IdentityCore } from '../../module.ts';
import type { CommandContext } from '../context.ts';
import { CommandError, UsageError } from '../../operation/refusal.ts';
import { operator, print, showInstant, table, requireUser } from '../../operation/command.ts';

interface Flags {
  readonly json?: boolean;
}

/** How `user show` names a user. */
interface UserSelector {
  readonly email: string | undefined;
  readonly externalId?: string;
  readonly subject?: string;
}

type ShowFlags = Flags & Omit<UserSelector, 'email'>;

/** A factor that is locked, or must wait until the given time. */
interface Lock {
  readonly factor: string;
  readonly until: string | null;
}

/** What `user show` prints about a user. */
type Fact = string | number | boolean | null | JsonObject | readonly (string | Lock)[];

/** Sessions that `user show` counts; more than a user can have. */
const countedSessions = 1000;

export function showUser(command: Command, context: CommandContext): void {
  command
    .command('show [email]')
    .description(
      'show one user: name, identifiers, confirmed, locked, second factors, last sign-in, language, sessions, metadata',
    )
    .option('--external-id <id>', 'the user with this external id')
    .option('--subject <subject>', 'the user with this subject')
    .option('--json', 'print JSON')
    .action((email: string | undefined, { json = false, ...ids }: ShowFlags) =>
      context.withCore(async (core) => {
        const user = await requireSelected(core, { email, ...ids });
        const facts = { ...describeUser(user), ...(await stateOf(core, user)) };
        const rows = Object.entries(facts).map(([name, value]) => [name, show(value)]);
        print(json, facts, table(['', ''], rows).trim());
      }),
    );
}

export function whyUser(command: Command, context: CommandContext): void {
  command
    .command('why <email>')
    .description('explain why a user cannot sign in, and what to do; changes nothing')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async (core) => {
        const { findings, refusals } = await checkSignIn(core, requireEmailAddress(email));
        const refused = refusals.map((each) => ({ ...each, at: formatInstant(each.at) }));
        const last = table(
          ['LAST REFUSALS', 'REASON', 'FROM'],
          refused.map(({ at, reason, address }) => [at, reason ?? '-', address ?? '-']),
        );
        const words = findings.map(explain).join('\n\n');
        print(
          json,
          { email, findings, refusals: refused },
          refused.length === 0 ? words : `${words}\n\n${last}`,
        );
      }),
    );
}

/** What the operator has to know about what a confirmed account opens with. */
const notes: Readonly<Record<MarkedAs, (email: string) => string>> = {
  account: () => '',
  // The registration may be that of an attacker who expected the user (account pre-hijacking).
  registration: (email) =>
    `. It opens with what its only registration chose. If that was not the user, run bienvenue user remove ${email}, then bienvenue user add --confirmed`,
  nothing: () =>
    '. Several registrations waited, and nothing shows which one is theirs: the user resets the password',
};

export function confirmUser(command: Command, context: CommandContext): void {
  command
    .command('confirm <email>')
    .description('mark the address of a user as confirmed, if you know that it is theirs')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async ({ context: { db: database }, emailVerification }) => {
        const user = await requireUser(database, email);
        if (user.disabledAt !== null)
          throw new CommandError(`${email} is disabled; run bienvenue user enable ${email} first`);
        const kept = await emailVerification.markVerified(user.id, operator);
        if (kept === undefined) throw new CommandError(`${email} is confirmed already`);
        print(json, { email, kept }, `${email} is confirmed${notes[kept](email)}`);
      }),
    );
}

export function unlockUser(command: Command, context: CommandContext): void {
  command
    .command('unlock <email>')
    .description('forget the failed attempts of a user, which ends waits and locks of all factors')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async (core) => {
        const user = await requireUser(core.context.db, email);
        const counters = (await resetAttempts(core, user.id, operator)) ?? 0;
        print(
          json,
          { email, counters },
          counters === 0
            ? `${email} has no failed attempts`
            : `The failed attempts of ${email} were forgotten`,
        );
      }),
    );
}

/**
 * @throws {UsageError} unless exactly one of the three is given.
 * @throws {CommandError} if no user has it.
 */
async function requireSelected(
  { context: { db } }: IdentityCore,
  { email, externalId, subject }: UserSelector,
): Promise<User> {
  if ([email, externalId, subject].filter((each) => each !== undefined).length !== 1)
    throw new UsageError('Give an email address, --external-id or --subject');
  if (email !== undefined) return requireUser(db, email);
  const user =
    externalId === undefined
      ? await findUserBySubject(db, subject ?? '')
      : await findUserByExternalId(db, externalId);
  if (user === undefined)
    throw new CommandError(
      externalId === undefined
        ? `No user has the subject ${subject}`
        : `No user has the external id ${externalId}`,
    );
  return user;
}

/** Describes a user as the commands print it. */
export function describeUser(user: User): Record<string, Fact> {
  const { id, email, subject, externalId, name, picture, language, createdAt } = user;
  return {
    id,
    email,
    subject,
    external_id: externalId,
    name,
    picture,
    language,
    created_at: formatInstant(createdAt),
    email_verified_at: instantOrNull(user.emailVerifiedAt),
    last_sign_in_at: instantOrNull(user.lastSignInAt),
    password_changed_at: formatInstant(user.passwordChangedAt),
    disabled_at: instantOrNull(user.disabledAt),
    delete_at: instantOrNull(user.deleteAt),
    provisional_until: instantOrNull(user.provisionalUntil),
  };
}

/** Returns what is not in the row of the user. */
async function stateOf(core: IdentityCore, user: User): Promise<Record<string, Fact>> {
  const { attempts, context, secondFactors, sessions } = core;
  const now = context.clock();
  const devices = await listDevices(context.db, user.id, now);
  const counters = await attempts.list(
    user.id,
    keyOfAddress(user.email),
    devices.map(({ id }) => id),
  );
  const locked = counters
    .filter(({ failures, next_at: next }) => failures >= maxAttempts || next > now)
    .map(({ factor, failures, next_at: next }) => ({
      factor,
      until: failures >= maxAttempts ? null : formatInstant(next),
    }));
  return {
    password: user.hashedPassword !== null,
    factors: await secondFactors.storedOf(context.db, user.id),
    locked,
    sessions: (await sessions.list(user.id, countedSessions)).length,
    ...describeMetadata(await findMetadata(context.db, user.id)),
  };
}

export function describeMetadata({ publicMetadata, privateMetadata }: Metadata): Record<string, Fact> {
  return { metadata: publicMetadata, private_metadata: privateMetadata };
}

function instantOrNull(ms: number | null): string | null {
  return ms === null ? null : formatInstant(ms);
}

function show(value: Fact): string {
  if (value === null) return '-';
  if (typeof value === 'string') return /^\d{4}-.*Z$/.test(value) ? showInstant(Date.parse(value)) : value;
  if (typeof value !== 'object') return String(value);
  if (!isList(value)) return JSON.stringify(value);
  return value.length === 0
    ? 'none'
    : value.map((each) => (typeof each === 'string' ? each : lock(each))).join(', ');
}

/** `Array.isArray` does not narrow a readonly array. */
function isList(value: JsonObject | readonly (string | Lock)[]): value is readonly (string | Lock)[] {
  return Array.isArray(value);
}

function lock({ factor, until }: Lock): string {
  return until === null ? `${factor} (locked)` : `${factor} until ${showInstant(Date.parse(until))}`;
}

const labels = {
  sign_in: 'No sign-in',
  password: 'Not with the password',
  second_factor: 'No second step',
  part: 'Affected',
  nothing: 'Note',
} as const;

function explain({ code, hinders, means, remedy }: Finding): string {
  return `${labels[hinders]} (${code}): ${means}\n  What to do: ${remedy}`;
}

// Measures how long requests for different kinds of account take: one after the other, in turns, so that other load on
// the machine affects all kinds equally.
import assert from 'node:assert/strict';
import { minuteMs } from '../../src/kit/clock.ts';
import { freshEmail } from '../support/person.ts';
import type { PublicService } from '../support/public-service.ts';
import type { Reply } from '../support/request.ts';
import { mannWhitney, median } from '../support/statistics.ts';

/** Kinds of account that an attacker may want to tell apart. */
export type AccountKind = 'confirmed' | 'unknown' | 'disabled' | 'unconfirmed' | 'without a password';
export const accountKinds: readonly AccountKind[] = [
  'confirmed',
  'unknown',
  'disabled',
  'unconfirmed',
  'without a password',
];

/** Returns the address of an account of this kind. */
export type Addresses = (kind: AccountKind) => string;

/** A request whose time must reveal nothing. */
export interface Route {
  readonly name: string;
  readonly ask: (service: PublicService, email: string) => Promise<Reply>;
  readonly status: number;
  /** Takes as long as hashing a password. */
  readonly hashes: boolean;
}

const password = 'seven otters in a purple boat';
const roundsOfAttempts = 50;

export const routes: readonly Route[] = [
  { name: 'login', ask: (service, email) => service.logIn(email, password), status: 401, hashes: true },
  {
    name: 'reset request',
    ask: (service, email) => service.post('/reset_password', { email }),
    status: 200,
    hashes: false,
  },
  {
    name: 'confirmation request',
    ask: (service, email) => service.post('/email_verification', { email }),
    status: 200,
    hashes: false,
  },
  {
    name: 'registration',
    ask: (service, email) => service.post('/users', { email, password }),
    status: 200,
    hashes: true,
  },
];

/** One account of each kind; the unknown address is a new one each time. */
export async function prepareAccounts(service: PublicService): Promise<Addresses> {
  const { auth, database } = service.service.core;
  const confirmed = await service.member();
  const disabled = await service.member();
  await auth.setDisabled(disabled.id, true);
  const unconfirmed = await service.newcomer();
  const withoutPassword = await service.member();
  await database.query((sql) =>
    sql.updateTable('users').set({ hashed_password: null }).where('id', '=', withoutPassword.id),
  );
  const emails = {
    confirmed: confirmed.email,
    disabled: disabled.email,
    unconfirmed: unconfirmed.email,
    'without a password': withoutPassword.email,
  };
  return (kind) => (kind === 'unknown' ? freshEmail() : emails[kind]);
}

/** What is measured of a route. */
export interface Timing {
  /** Kinds that are compared with an unknown address. */
  readonly kinds: readonly AccountKind[];
  readonly rounds: number;
}

/** Milliseconds of each request, by kind of account. */
export type Times = ReadonlyMap<AccountKind, number[]>;

export async function timeRoute(
  service: PublicService,
  { ask, status }: Route,
  emailOf: Addresses,
  { kinds, rounds }: Timing,
): Promise<Times> {
  const { clock, core } = service.service;
  const order: AccountKind[] = ['unknown', ...kinds];
  const times = new Map(order.map((kind): [AccountKind, number[]] => [kind, []]));
  for (let round = 0; round < rounds; round += 1) {
    clock.advance(20 * minuteMs); // longer than every wait after failures, and than the pause between two mails
    // Keeps every account below the limit of a hundred attempts.
    if (round % roundsOfAttempts === 0) await core.database.execute('delete from attempts');
    for (const kind of round % 2 === 0 ? order : order.toReversed()) {
      const email = emailOf(kind);
      const begun = performance.now();
      const reply = await ask(service, email);
      times.get(kind)?.push(performance.now() - begun);
      assert.equal(reply.status, status, `${kind}: ${reply.text}`);
    }
  }
  return times;
}

/** The difference between a kind of account and an unknown address. */
export interface Difference {
  readonly kind: AccountKind;
  /** Medians in milliseconds. */
  readonly median: number;
  readonly unknown: number;
  /** Probability of such times if both kinds had the same distribution. */
  readonly p: number;
}

export function compareTimes(times: Times): Difference[] {
  const unknown = times.get('unknown') ?? [];
  return [...times]
    .filter(([kind]) => kind !== 'unknown')
    .map(([kind, own]) => ({
      kind,
      median: median(own),
      unknown: median(unknown),
      p: mannWhitney(own, unknown),
    }));
}

/**
 * True if the times reveal nothing: the medians are nearly equal, or the rank test finds one distribution.
 * @param maxMs largest difference of medians, in milliseconds, that reveals nothing.
 */
export function isAlike({ median: ms, unknown, p }: Difference, maxMs: number): boolean {
  return Math.abs(ms - unknown) < maxMs || p > 0.01;
}

/** One line for a reader. */
export function describeTimes(route: string, differences: readonly Difference[]): string {
  const parts = differences.map(
    ({ kind, median: ms, p }) => `${kind} ${ms.toFixed(2)} ms (p ${p.toFixed(3)})`,
  );
  return `${route}: unknown ${differences[0]?.unknown.toFixed(2)} ms, ${parts.join(', ')}`;
}

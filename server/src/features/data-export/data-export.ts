// What is known of a person, for the person (GDPR articles 15 and 20). Secrets are left out where the rows are read: no
// statement that is used here selects one. Read bit by bit: of one account there may be more than fits into memory, and
// nobody waits for the database meanwhile.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Problem } from '../../kit/problem.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { listEventsOf } from '../../audit/store.ts';
import { RateLimit } from '../../kit/rate-limit.ts';
import { listMailsOf, type MailRecord } from '../../mail/store.ts';
import { findUserById } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AttemptCount } from '../../identity/attempt/store.ts';
import type { Attempts } from '../../identity/attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../../identity/context.ts';
import { listDevices, type DeviceSummary } from '../../identity/sign-in/device-store.ts';
import type { SecondFactors } from '../../identity/factor/second-factor.ts';
import type { SessionSummary } from '../../identity/session/store.ts';
import type { Session, Sessions } from '../../identity/session/session.ts';
import type { StepUp } from '../../identity/sign-in/step-up.ts';
import { listPendingTokens, type TokenSummary } from '../../identity/token/store.ts';
import '../../identity/session/problem.ts';

/** Everything about an account, without a secret. */
export interface DataExport {
  /** Unix milliseconds. */
  readonly exportedAt: number;
  readonly user: User;
  readonly sessions: readonly SessionSummary[];
  readonly devices: readonly DeviceSummary[];
  /** By the names of the factors, as their rooms tell it. */
  readonly secondFactors: Readonly<Record<string, object>>;
  readonly tokens: readonly TokenSummary[];
  readonly tries: readonly AttemptCount[];
  /** Some at a time, kind by kind. */
  readonly mails: AsyncIterable<readonly MailRecord[]>;
  /** Some at a time, the oldest first. */
  readonly events: AsyncIterable<readonly AuditEvent[]>;
}

export interface DataExportNeeds {
  readonly attempts: Attempts;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
  readonly stepUp: StepUp;
}

/** Rows read at once: a few milliseconds. */
const pageSize = 200;
/** Sessions in an export: more than a user may hold. */
const maxSessions = 1000;
/** Exports of one account: each reads all there is. */
const perMinute = 5;
/** Accounts that are remembered for that. */
const maxAccounts = 10_000;

export class DataExports {
  readonly #context: AuthContext;
  readonly #needs: DataExportNeeds;
  readonly #limit: RateLimit;

  constructor(context: AuthContext, needs: DataExportNeeds) {
    this.#context = context;
    this.#needs = needs;
    this.#limit = new RateLimit({ perMinute, clock: context.clock, maxKeys: maxAccounts });
  }

  /**
   * All that is known of the session's user, this export included.
   * @throws {Problem} step_up_required; too_many_requests; session_required when the user is gone.
   */
  async create(session: Session, source: ClientSource): Promise<DataExport> {
    const { db, clock, audit } = this.#context;
    const { attempts, secondFactors, sessions, stepUp } = this.#needs;
    const { userId } = session;
    await stepUp.requireRecent(session);
    const { isAllowed, seconds } = this.#limit.take(String(userId), 1);
    if (!isAllowed) throw new Problem('too_many_requests', { retryAfterSeconds: seconds });
    const deed = { event: 'sensitive_read', outcome: 'success', reason: 'data_export' } as const;
    await db.transaction((tx) => audit.record(tx, { ...deed, userId }, source));
    const user = await findUserById(db, userId);
    if (user === undefined) throw new Problem('session_required');
    const exportedAt = clock();
    const devices = await listDevices(db, userId, exportedAt);
    return {
      exportedAt,
      user,
      devices,
      sessions: await sessions.list(userId, maxSessions),
      secondFactors: await secondFactors.exportOf(db, userId),
      tokens: await listPendingTokens(db, userId, exportedAt),
      tries: await attempts.list(
        userId,
        devices.map(({ id }) => id),
      ),
      mails: pagesOf((last: MailRecord | undefined) => {
        const { kind, created_at: createdAt, id } = last ?? beforeMails;
        return listMailsOf(db, { userId, kind, createdAt, id, limit: pageSize });
      }),
      events: pagesOf((last: AuditEvent | undefined) => {
        const { at, id } = last ?? beforeEvents;
        return listEventsOf(db, { userId, at, id, limit: pageSize });
      }),
    };
  }
}

/** What comes before every mail, and before every event. */
const beforeMails = { kind: '', created_at: 0, id: '' };
const beforeEvents = { at: 0, id: '' };

/** Page after page, each read when it is asked for. */
async function* pagesOf<Row>(pageAfter: (last: Row | undefined) => Promise<Row[]>): AsyncGenerator<Row[]> {
  let page: Row[] = [];
  do {
    page = await pageAfter(page.at(-1));
    yield page;
    await nextTurn(); // SQLite is read on this thread: others are let in between
  } while (page.length === pageSize);
}

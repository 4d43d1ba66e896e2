// Exports the data of a user (GDPR articles 15 and 20): what each module contributes as PersonalData, then mails and
// events in pages, because one account may have more of them than fit into memory. No statement used here selects a
// secret.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Problem } from '../../kit/problem.ts';
import type { AuditEvent } from '../../audit/event.ts';
import type { Audit } from '../../audit/audit.ts';
import { RateLimit } from '../../kit/rate-limit.ts';
import { listMailsOf, type MailRecord } from '../../mail/store.ts';
import { findUserById } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../../identity/context.ts';
import type { PersonalData } from '../../identity/contribution.ts';
import type { Session } from '../../identity/session/session-entry.ts';
import type { StepUp } from '../../identity/step-up/step-up.ts';
import { dataExportEvents } from './event.ts';
import '../../identity/session/problem.ts';

/** Everything stored about an account, without secrets. */
export interface DataExport {
  /** Unix milliseconds. */
  readonly exportedAt: number;
  readonly user: User;
  /** The data of each module as JSON, by the member name in the document. */
  readonly members: Readonly<Record<string, unknown>>;
  /** In pages, one kind after the other. */
  readonly mails: AsyncIterable<readonly MailRecord[]>;
  /** In pages, oldest first. */
  readonly events: AsyncIterable<readonly AuditEvent[]>;
}

export interface DataExportNeeds {
  readonly audit: Pick<Audit, 'listOf'>;
  readonly stepUp: StepUp;
  readonly plugged: {
    /** Read at each export: modules register themselves before the first request. */
    readonly exports: readonly PersonalData[];
  };
}

/** Rows per page: reading them takes a few milliseconds. */
const pageSize = 200;
/** Rate limit for one account: each export reads all rows of the user. */
const perMinute = 5;
/** Maximum number of accounts that the rate limit remembers. */
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
   * Collects what is stored about the session's user, including the event of this export.
   * @throws {Problem} step_up_required; too_many_requests; session_required if the user was removed.
   */
  async create(session: Session, source: ClientSource): Promise<DataExport> {
    const { db, clock, events } = this.#context;
    const { audit, stepUp, plugged } = this.#needs;
    const { userId } = session;
    await stepUp.requireRecent(session);
    const { isAllowed, seconds } = this.#limit.take(String(userId), 1);
    if (!isAllowed) throw new Problem('too_many_requests', { retryAfterSeconds: seconds });
    await db.transaction((tx) =>
      events.emit(tx, dataExportEvents.data_exported, { user: { id: userId }, source }),
    );
    const user = await findUserById(db, userId);
    if (user === undefined) throw new Problem('session_required');
    const exportedAt = clock();
    const members: Record<string, unknown> = {};
    for (const data of plugged.exports) members[data.name] = await data.exportOf(db, userId, session.id);
    return {
      exportedAt,
      user,
      members,
      mails: pagesOf((last: MailRecord | undefined) => {
        const { kind, created_at: createdAt, id } = last ?? beforeMails;
        return listMailsOf(db, { userId, kind, createdAt, id, limit: pageSize });
      }),
      events: pagesOf((last: AuditEvent | undefined) => {
        const { at, id } = last ?? beforeEvents;
        return audit.listOf({ userId, at, id, limit: pageSize });
      }),
    };
  }
}

/** Sorts before the id of every mail and event. */
const beforeMails = { kind: '', created_at: 0, id: '' };
const beforeEvents = { at: 0, id: '' };

/** Yields the pages, reading each when the consumer asks for it. */
async function* pagesOf<Row>(pageAfter: (last: Row | undefined) => Promise<Row[]>): AsyncGenerator<Row[]> {
  let page: Row[] = [];
  do {
    page = await pageAfter(page.at(-1));
    yield page;
    await nextTurn(); // SQLite is read on this thread: lets other requests run in between
  } while (page.length === pageSize);
}

// Builds each room once and plugs them together.
import type { Log } from '../kit/log.ts';
import { minuteMs, secondMs, systemClock, type Clock } from '../kit/clock.ts';
import type { Configuration } from '../config/read-options.ts';
import type { Database } from '../db/database.ts';
import { Hasher } from '../hash/hasher.ts';
import { SessionCookie } from '../http/session-cookie.ts';
import { Jobs } from '../jobs/jobs.ts';
import { DB } from '../user/db.ts';
import { Auth } from '../auth/auth.ts';
import type { AuthRoom } from '../auth/routes.ts';

/** How often the sessions seen are written. */
const flushSeenMs = 20 * secondMs;
const purgeMs = 10 * minuteMs;

export interface Rooms extends AuthRoom {
  readonly database: Database;
  readonly hasher: Hasher;
  readonly jobs: Jobs;
  /** False from the first sign of a stop on. */
  ready: boolean;
  close(): Promise<void>;
}

/** What tests put in the place of the world. */
export interface World {
  readonly clock?: Clock;
}

/** Builds the rooms of a service on an open database, which they close with themselves. */
export function buildRooms({ options, isPublic }: Configuration, database: Database, log: Log, { clock = systemClock }: World = {}): Rooms {
  const hasher = new Hasher({
    threads: options.hashThreads,
    cost: { memoryKib: options.hashMemoryKib, passes: options.hashPasses },
  });
  const auth = new Auth({
    db: new DB(database, clock),
    hasher,
    clock,
    log,
    sessionDays: options.sessionDays,
    sessionIdleDays: options.sessionIdleDays,
    sessionsPerUser: options.sessionsPerUser,
    resetTokenMinutes: options.resetTokenMinutes,
  });
  const jobs = new Jobs(log);
  return {
    database,
    hasher,
    auth,
    jobs,
    cookie: new SessionCookie({ secure: isPublic }),
    rules: { revealAccounts: options.revealAccounts },
    ready: true,
    async close() {
      await jobs.stop();
      await auth.close();
      await database.close();
    },
  };
}

/** Starts the work beside the requests. */
export function startJobs({ jobs, auth }: Rooms): void {
  jobs.start({ name: 'note seen sessions', everyMs: flushSeenMs, run: () => auth.flushLastSeen() });
  jobs.start({ name: 'purge', everyMs: purgeMs, run: async () => void (await auth.purge()) });
}

// Loading times of the pages and their files in a browser, compared with a session check in the same run.
import { gzipSync } from 'node:zlib';
import { pageView } from '../load/request.ts';
import { runLoad, type PlannedRequest } from '../load/plan.ts';
import { emailOf, password, sessionOf, spread } from '../support/accounts.ts';
import { medianOf } from '../support/statistics.ts';
import type { Run } from '../support/run.ts';
import { startService, type Subject } from '../support/subject.ts';

export interface ViewFigures {
  /** Milliseconds from the request to the complete reply, one request at a time. */
  readonly p50: number;
  readonly p99: number;
  /** CPU time of the server for one request. */
  readonly cpuMicros: number;
}

export interface Weight {
  readonly bytes: number;
  /** Size after compression by a proxy. */
  readonly gzipBytes: number;
}

export interface PagesResult {
  readonly accounts: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly views: Readonly<Record<string, ViewFigures>>;
  /** By path. */
  readonly pages: Readonly<Record<string, Weight>>;
  readonly files: Readonly<Record<string, Weight>>;
}

const accounts = 10_000;
const pagePaths = [
  '/sign-in',
  '/sign-up',
  '/forgot',
  '/account',
  '/account/address',
  '/account/sessions',
  '/account/passkeys',
  '/account/authenticators',
  '/account/recovery-codes',
  '/account/activity',
  '/account/data',
];
const filePaths = ['/style.css', '/page.js', '/icon.svg'];
/** Of a signed-in user. */
const isOwn = (path: string): boolean => path.startsWith('/account');

export async function measurePages(run: Run): Promise<PagesResult> {
  const rounds = run.choose(5, 1);
  const seconds = run.choose(3, 1);
  const url = await run.database('sqlite', accounts);
  const subject = await startService(run, { url, accounts, pinned: true });
  const planned = plan(subject);
  const measured = new Map<string, ViewFigures[]>();
  for (let round = 1; round <= rounds; round += 1) {
    run.say(`pages, round ${round} of ${rounds}`);
    for (const [name, requests] of Object.entries(planned)) {
      const list = measured.get(name) ?? [];
      list.push(await view(run, subject, requests, seconds));
      measured.set(name, list);
    }
  }
  const result = {
    accounts,
    rounds,
    seconds,
    views: Object.fromEntries([...measured].map(([name, list]) => [name, medianOf(list)])),
    pages: await weigh(subject, pagePaths),
    files: await weigh(subject, filePaths),
  };
  await subject.program.stop();
  return result;
}

function plan({ checks }: Subject): Record<string, readonly PlannedRequest[]> {
  const own = spread(accounts, accounts).map((n) =>
    pageView('/account', `session_id=${sessionOf(n).token}`, emailOf(n)),
  );
  return {
    'session check': checks,
    'sign-in page': [pageView('/sign-in', '', '</html>')],
    'account page': own,
    'style sheet': [pageView('/style.css', '', '--brand')],
    script: [pageView('/page.js', '', 'addEventListener')],
  };
}

/** Over one connection: the latency for a single user, without queueing. */
async function view(
  run: Run,
  { program, port }: Subject,
  requests: readonly PlannedRequest[],
  seconds: number,
): Promise<ViewFigures> {
  const warmUpSeconds = run.choose(1, 0.5);
  const load = await runLoad(
    { mode: 'closed', port, pid: program.pid, requests, connections: 1, seconds, warmUpSeconds },
    run.cores?.others,
  );
  const { p50, p99 } = load.latencies;
  return { p50, p99, cpuMicros: (load.serverCpu * 1e6) / load.replies };
}

async function weigh({ port }: Subject, paths: readonly string[]): Promise<Record<string, Weight>> {
  const origin = `http://127.0.0.1:${port}`;
  // With a new login: some pages require authentication within the last ten minutes.
  const body = new URLSearchParams({ email: emailOf(1), password });
  const login = await fetch(`${origin}/sessions`, { method: 'POST', body });
  const own = login.headers.getSetCookie().join('; ');
  const weights = paths.map(async (path): Promise<[string, Weight]> => {
    const headers = { accept: 'text/html', ...(isOwn(path) && { cookie: own }) };
    const reply = await fetch(origin + path, { headers, redirect: 'manual' });
    if (reply.status !== 200) throw new Error(`${path} was answered ${reply.status}`);
    const content = Buffer.from(await reply.arrayBuffer());
    return [path, { bytes: content.length, gzipBytes: gzipSync(content).length }];
  });
  return Object.fromEntries(await Promise.all(weights));
}

// Whether the time of a reply reveals an account on a slow disk: each flush of the disk that only one kind of address
// causes shows as a difference of that flush. The statements and commits themselves are compared by
// server/test/attacks/account-matrix.test.ts.
import { DatabaseSync } from 'node:sqlite';
import { emailOf } from '../support/accounts.ts';
import { wideLimits } from '../support/limits.ts';
import { startMailServer } from '../support/mail-server.ts';
import type { Run } from '../support/run.ts';
import { median } from '../support/statistics.ts';
import { underDelay, whyNoDelay } from '../support/strace.ts';
import { startService } from '../support/subject.ts';

/** Medians in milliseconds. */
interface Times {
  readonly known: number;
  readonly unknown: number;
}

export interface EnumerationResult {
  /** Why it was not measured. */
  readonly skipped?: string;
  readonly delayMs: number;
  readonly pairs: number;
  /** By method and path. */
  readonly requests: Readonly<Record<string, Times>>;
}

const accounts = 5000;
const delayMs = 4;
/** Pairs before those that count. */
const warmUp = 20;
const wrongCode = '2222-2222';
const password = 'eleven owls behind a silver fence';

/** A request for a mail, the field of its code, and whether the accounts are unconfirmed. */
const mailRequests = [
  { path: '/reset_password', field: 'reset_token', more: { new_password: password }, confirmed: true },
  { path: '/sessions/email', field: 'token', more: {}, confirmed: true },
  { path: '/email_verification', field: 'token', more: {}, confirmed: false },
] as const;

export async function measureEnumeration(run: Run): Promise<EnumerationResult> {
  const pairs = run.choose(200, 10);
  const skipped = whyNoDelay();
  if (skipped !== undefined) return { skipped, delayMs, pairs, requests: {} };
  const url = await run.database('sqlite', accounts);
  confirmHalf(url.slice('sqlite:'.length));
  const mailServer = await startMailServer();
  const { port, program } = await startService(run, {
    url,
    accounts,
    pinned: false,
    under: underDelay(delayMs),
    environment: {
      ...wideLimits,
      PUBLIC_URL: 'https://accounts.bench.example',
      HOST: '127.0.0.1',
      EMAIL_SIGN_IN: 'true',
      SMTP_URL: mailServer.url,
      MAIL_FROM: 'accounts@bench.example',
    },
  });
  const requests: Record<string, Times> = {};
  let next = 0;
  for (const { path, field, more, confirmed } of mailRequests) {
    run.say(`known and unknown addresses: ${path}`);
    const times = { post: { known: [], unknown: [] }, put: { known: [], unknown: [] } } as Record<
      'post' | 'put',
      Record<keyof Times, number[]>
    >;
    for (let pair = -warmUp; pair < pairs; pair += 1) {
      next += 2;
      const known = { kind: 'known', email: emailOf(confirmed ? next : next + 1) } as const;
      const unknown = { kind: 'unknown', email: `none${next}@bench.example` } as const;
      for (const { kind, email } of pair % 2 === 0 ? [known, unknown] : [unknown, known]) {
        const asked = await send(port, 'POST', path, { email });
        const cookie = /^[^;]+/.exec(asked.cookie)?.[0] ?? '';
        const tried = await send(port, 'PUT', path, { email, [field]: wrongCode, ...more }, cookie);
        if (asked.status !== 200 || tried.status !== 403)
          throw new Error(`${path}: ${asked.status}, ${tried.status}`);
        if (pair < 0) continue;
        times.post[kind].push(asked.ms);
        times.put[kind].push(tried.ms);
      }
    }
    for (const method of ['post', 'put'] as const) {
      const { known, unknown } = times[method];
      requests[`${method.toUpperCase()} ${path}`] = { known: median(known), unknown: median(unknown) };
    }
  }
  await program.stop();
  mailServer.stop();
  return { delayMs, pairs, requests };
}

/** Confirms every second address. */
function confirmHalf(path: string): void {
  using database = new DatabaseSync(path);
  database.exec('update users set email_verified_at = created_at where id % 2 = 0');
}

async function send(
  port: number,
  method: string,
  path: string,
  fields: Readonly<Record<string, string>>,
  cookie = '',
): Promise<{ status: number; cookie: string; ms: number }> {
  const begun = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { cookie, 'x-forwarded-proto': 'https' },
    body: new URLSearchParams(fields),
  });
  await response.text();
  const ms = performance.now() - begun;
  return { status: response.status, cookie: response.headers.get('set-cookie') ?? '', ms };
}

/** The largest difference of medians, in milliseconds. */
export function largestDifference({ requests }: EnumerationResult): number | undefined {
  const differences = Object.values(requests).map(({ known, unknown }) => Math.abs(known - unknown));
  return differences.length === 0 ? undefined : Math.max(...differences);
}

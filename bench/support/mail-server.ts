// Starts the mail server of a run as a program of its own, and queues mails for the service to send to it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { migratedModules } from '../../server/src/app/migrations.ts';
import { buildService } from '../../server/src/app/core.ts';
import { readOptions } from '../../server/src/app/options.ts';
import { resetPasswordMail } from '../../server/src/identity/password/event.ts';
import { openDatabase } from '../../server/src/db/open-database.ts';
import { silentLog } from '../../server/src/kit/log.ts';
import { emailOf, spread } from './accounts.ts';
import { track } from './program.ts';

/** `take` and `hang` start a new count, `report` requests it. */
export type MailServerOrder = 'take' | 'hang' | 'report';

export interface MailServerReport {
  /** Mails since the count started. */
  readonly taken: number;
  /** When the first and the last of them were accepted, in Unix milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** CPU time of the mail server since its start. */
  readonly cpuSeconds: number;
}

export interface MailServer {
  readonly url: string;
  readonly begin: (order: 'take' | 'hang') => void;
  readonly report: () => Promise<MailServerReport>;
  /** Waits until this many were accepted. @throws if none arrives for half a minute. */
  readonly tookAll: (count: number) => Promise<MailServerReport>;
  readonly stop: () => void;
}

const program = fileURLToPath(new URL('../peer/mail-server.ts', import.meta.url));
/** Polling interval: short enough to continue soon, and too long to cost anything. */
const lookMs = 50;
/** Longer than the service waits after a first failed attempt. */
const patienceMs = 30_000;

export async function startMailServer(): Promise<MailServer> {
  const child = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  track(child);
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]; // its first message
  const report = async (): Promise<MailServerReport> => {
    const answered = once(child, 'message');
    child.send('report' satisfies MailServerOrder);
    const [answer] = (await answered) as [MailServerReport]; // its other messages
    return answer;
  };
  return {
    url: `smtp://127.0.0.1:${port}`,
    begin: (order) => void child.send(order),
    report,
    async tookAll(count) {
      let before = 0;
      for (let since = performance.now(); performance.now() - since < patienceMs; await wait(lookMs)) {
        const answer = await report();
        if (answer.taken >= count) return answer;
        if (answer.taken > before) since = performance.now();
        before = answer.taken;
      }
      throw new Error(`${before} of ${count} mails were sent, and no more came`);
    },
    stop: () => void child.kill(),
  };
}

/** An hour: no mail of a run expires before it is sent. */
const lifeMs = 3_600_000;
/** Mails in one transaction: SQLite's only writer is blocked for a few milliseconds. */
const batch = 50;

/** Queues this many mails as the service does, each to another account: encrypted, in the service's database. */
export async function fillOutbox(
  environment: Readonly<Record<string, string>>,
  accounts: number,
  count: number,
): Promise<void> {
  const configuration = readOptions(environment);
  const database = await openDatabase(configuration.options.databaseUrl, migratedModules);
  const service = await buildService(configuration, database, silentLog); // its jobs are not started: it sends none
  const people = spread(accounts, count);
  for (let from = 0; from < count; from += batch) {
    await database.transaction(async (tx) => {
      for (const userId of people.slice(from, from + batch)) {
        const now = Date.now();
        await service.core.mail.post(tx, {
          kind: 'reset_password',
          outline: resetPasswordMail.compose({
            link: `https://accounts.example/reset_password?token=${crypto.randomUUID()}`,
            code: undefined,
            minutes: 60,
            codeMinutes: 10,
          }),
          occasion: { at: now, address: '192.0.2.7', device: 'Mozilla/5.0 Firefox/140.0' },
          language: undefined,
          recipient: emailOf(userId),
          userId,
          expiresAt: now + lifeMs,
        });
      }
    });
  }
  await service.close();
}

// The outbox: how many mails per second it sends, and whether logins get slower while it sends a queue, or while the
// mail server hangs.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runLoad, type LoadResult } from '../load/plan.ts';
import { wideLimits } from '../support/limits.ts';
import { fillOutbox, startMailServer, type MailServer } from '../support/mail-server.ts';
import { cpuSeconds } from '../support/process-facts.ts';
import type { EngineName, Run } from '../support/run.ts';
import { latenciesOf, median, medianOf, type Latencies } from '../support/statistics.ts';
import { startService, type Subject } from '../support/subject.ts';

export interface MailFigures {
  /** Without other load. */
  readonly mailsPerSecond: number;
  /** CPU time of the service for one mail, and the share of a core that the mail server used. */
  readonly cpuMicros: number;
  readonly mailServerBusy: number;
  /** While users log in. */
  readonly mailsPerSecondBesideLogins: number;
}

export interface MailsFigures extends MailFigures {
  /** Logins, open loop, with an empty outbox, with a mail server that hangs, and while a queue is sent. */
  readonly idle: Latencies;
  readonly hanging: Latencies;
  readonly sending: Latencies;
}

export interface MailsResult {
  readonly accounts: number;
  readonly mails: number;
  readonly loginsPerSecond: number;
  readonly rounds: number;
  readonly seconds: number;
  /** Mails per second of the library alone. */
  readonly bareMailsPerSecond: number;
  readonly engines: Readonly<Record<EngineName, MailsFigures>>;
}

const accounts = 10_000;
/** Mails in the queue whose sending is measured alone. */
const mails = 2000;
/** Mails in the queue that is sent during logins: more than most machines send in that time. */
const queued = 3000;
/** A fifth of what two cores can hash: no login waits for another. */
const loginsPerSecond = 20;
/** Interval of the job that sends mails. */
const noticeMs = 1500;

interface Bench {
  readonly run: Run;
  readonly subject: Subject;
  readonly mailServer: MailServer;
  /** Writes this many mails into the outbox. */
  readonly fill: (count: number) => Promise<void>;
  readonly seconds: number;
}

export async function measureMails(run: Run): Promise<MailsResult> {
  const rounds = run.choose(3, 1);
  const seconds = run.choose(8, 2);
  const mailServer = await startMailServer();
  const benches = {
    sqlite: await begin(run, 'sqlite', mailServer, seconds),
    postgres: await begin(run, 'postgres', mailServer, seconds),
  };
  const bareRates: number[] = [];
  const measured: Record<EngineName, MailsFigures[]> = { sqlite: [], postgres: [] };
  for (let round = 1; round <= rounds; round += 1) {
    run.say(`mails, round ${round} of ${rounds}: the library alone`);
    bareRates.push(await bareRate(mailServer, run.choose(mails, 200)));
    for (const engine of ['sqlite', 'postgres'] as const) {
      run.say(`mails, round ${round} of ${rounds}: ${engine}`);
      measured[engine].push(await measureOne(benches[engine]));
    }
  }
  for (const { subject } of Object.values(benches)) await subject.program.stop();
  mailServer.stop();
  return {
    accounts,
    mails,
    loginsPerSecond,
    rounds,
    seconds,
    bareMailsPerSecond: median(bareRates),
    engines: { sqlite: medianFigures(measured.sqlite), postgres: medianFigures(measured.postgres) },
  };
}

async function begin(run: Run, engine: EngineName, mailServer: MailServer, seconds: number): Promise<Bench> {
  const url = await run.database(engine, accounts);
  const environment = { ...wideLimits, SMTP_URL: mailServer.url, MAIL_FROM: 'accounts@bench.example' };
  const subject = await startService(run, { url, accounts, pinned: false, environment });
  const options = { ...environment, DATABASE_URL: url, DATA_DIR: run.folder };
  const bench = {
    run,
    subject,
    mailServer,
    seconds,
    fill: (count: number) => fillOutbox(options, accounts, count),
  };
  await sendAlone(bench, run.choose(1000, 100)); // warm-up
  await logIn(bench, 2);
  return bench;
}

async function measureOne(bench: Bench): Promise<MailsFigures> {
  const { run, mailServer, fill, seconds } = bench;
  const before = await logIn(bench, seconds / 2);
  const count = run.choose(queued, 1000);
  mailServer.begin('hang');
  await fill(count);
  await wait(noticeMs);
  const hanging = await logIn(bench, seconds);
  mailServer.begin('take');
  const sending = await logIn(bench, seconds);
  const { firstAt, lastAt } = await mailServer.tookAll(count);
  const alone = await sendAlone(bench, run.choose(mails, 200));
  // Half before and half after, because other load on the machine varies.
  const after = await logIn(bench, seconds / 2);
  return {
    ...alone,
    mailsPerSecondBesideLogins: (count * 1000) / (lastAt - firstAt),
    idle: latenciesUntil(Infinity, before, after),
    hanging: hanging.latencies,
    sending: latenciesUntil(lastAt, sending), // later ones ran without the queue
  };
}

/** Latencies of the requests that were due before an instant, in Unix milliseconds. */
function latenciesUntil(instant: number, ...loads: readonly LoadResult[]): Latencies {
  const samples = loads.flatMap((load) => load.samples ?? []).filter(([due]) => due < instant);
  return latenciesOf(samples.map(([, latency]) => latency));
}

/** Fills the queue before the mail server answers, so that only the sending is measured. */
async function sendAlone(
  { subject, mailServer, fill }: Bench,
  count: number,
): Promise<Omit<MailFigures, 'mailsPerSecondBesideLogins'>> {
  mailServer.begin('hang');
  await fill(count);
  await wait(noticeMs);
  const { pid } = subject.program;
  const before = { service: cpuSeconds(pid), mailServer: (await mailServer.report()).cpuSeconds };
  mailServer.begin('take');
  const { firstAt, lastAt, cpuSeconds: mailServerCpu } = await mailServer.tookAll(count);
  const seconds = (lastAt - firstAt) / 1000;
  return {
    mailsPerSecond: count / seconds,
    cpuMicros: ((cpuSeconds(pid) - before.service) * 1e6) / count,
    mailServerBusy: (mailServerCpu - before.mailServer) / seconds,
  };
}

function logIn({ subject }: Bench, seconds: number): Promise<LoadResult> {
  const { port, program, logins: requests } = subject;
  return runLoad(
    {
      mode: 'open',
      port,
      pid: program.pid,
      requests,
      connections: 1, // more are opened as needed: the service closes idle ones
      perSecond: loginsPerSecond,
      seconds,
    },
    undefined,
  );
}

const bareMail = fileURLToPath(new URL('../peer/bare-mail.ts', import.meta.url));

async function bareRate(mailServer: MailServer, count: number): Promise<number> {
  mailServer.begin('take');
  const child = spawn(process.execPath, [bareMail], {
    env: { ...process.env, SMTP_URL: mailServer.url, MAILS: String(count) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return Number(await text(child.stdout));
}

function medianFigures(rounds: readonly MailsFigures[]): MailsFigures {
  const of = (kind: 'idle' | 'hanging' | 'sending'): Latencies =>
    medianOf(rounds.map((round) => round[kind]));
  const numbers = rounds.map(({ idle: _idle, hanging: _hanging, sending: _sending, ...rest }) => rest);
  return { ...medianOf(numbers), idle: of('idle'), hanging: of('hanging'), sending: of('sending') };
}

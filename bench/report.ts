// Renders the results of the benchmarks as Markdown: docs/project/benchmarks.md and the terminal.
import type { FloodFigures, FloodResult } from './part/flood.ts';
import type { ChecksResult } from './part/checks.ts';
import type { EnumerationResult } from './part/enumeration.ts';
import type { InstallResult } from './part/install.ts';
import type { LoginsResult } from './part/logins.ts';
import type { MailsResult } from './part/mails.ts';
import type { PagesResult, Weight } from './part/pages.ts';
import type { ProviderResult } from './part/provider.ts';
import type { ScaleResult } from './part/scale.ts';
import type { SlowDiskResult } from './part/slow-disk.ts';
import type { StartResult } from './part/start.ts';
import { goals } from './goals.ts';
import type { Measured, Results } from './result.ts';
import type { Latencies } from './support/statistics.ts';
import { show, table, type Cell } from './table.ts';

/** The whole report in Markdown. */
export function report(results: Results): string {
  const sections = [
    intro,
    goalSection(results),
    results.checks && checksSection(results.checks),
    results.logins && loginsSection(results.logins),
    results.flood && floodSection(results.flood),
    results['slow-disk'] && slowDiskSection(results['slow-disk']),
    results.enumeration && enumerationSection(results.enumeration),
    results.mails && mailsSection(results.mails),
    results.pages && pagesSection(results.pages),
    results.start && startSection(results.start),
    results.install && installSection(results.install),
    results.scale && scaleSection(results.scale),
    results.provider && providerSection(results.provider),
    method,
  ];
  return `${sections.filter((section) => section !== undefined).join('\n\n')}\n`;
}

const intro = `# Benchmarks

Written by \`npm run bench\`. The command below each table repeats its measurement. Compare ratios, not absolute figures: figures of another
machine, or of another hour on the same one, differ by a third.`;

function goalSection(results: Results): string {
  const rows = goals.map(({ says, aim, unit, measured, isReached }): Cell[] => {
    const value = measured(results);
    if (value === undefined || Number.isNaN(value)) return [says, aim, 'not measured', ''];
    return [says, aim, `${show(value)} ${unit}`, isReached(value) ? 'yes' : '**no**'];
  });
  return `## Goals\n\n${table(['measure', 'goal', 'measured', 'reached'], rows)}`;
}

/** Date, commit and machine of a section's figures. */
function origin(part: string, { date, commit, machine }: Measured<unknown>): string {
  const { processor, cores, memoryGb, system, node, sqlite, fsyncMs } = machine;
  return `\`npm run bench -- --only ${part}\`, ${date}, commit ${commit}; ${processor}, ${cores} cores, ${memoryGb} GB, ${system}; Node ${node}, SQLite ${sqlite}; a write of 4 KiB with fdatasync takes ${show(fsyncMs)} ms.`;
}

function providerSection(measured: Measured<ProviderResult>): string {
  const { rounds, requests, senders, subjects } = measured.result;
  const alone = subjects['engine in memory'];
  const rows = Object.entries(subjects).map(([name, figures]): Cell[] => [
    name,
    ...(['introspection', 'userinfo', 'refresh', 'codeFlow'] as const).map(
      (what) => `${show(figures[what])} µs (${show((alone[what] / figures[what]) * 100)} %)`,
    ),
  ]);
  return `## OpenID provider

CPU time of the server for one request: ${senders} users at the same time, each ${requests} requests one after the other, median of ${rounds} rounds in turns. In
brackets: the speed of the engine alone, with its store in memory, is 100 %.

${table(['', 'introspection', 'userinfo', 'refresh', 'sign-in: authorization and code'], rows)}

${origin('provider', measured)}`;
}

function checksSection(measured: Measured<ChecksResult>): string {
  const { accounts, connections, rounds, seconds, pinned, postgres, subjects } = measured.result;
  const base = subjects['service on SQLite'].cpuMicros;
  const rows = Object.entries(subjects).map(
    ([name, { perSecond, cpuMicros, serverBusy, generatorBusy }]): Cell[] => [
      name,
      perSecond,
      cpuMicros,
      `${show(cpuMicros / base)} x`,
      `${show(serverBusy * 100)} %`,
      `${show(generatorBusy * 100)} %`,
    ],
  );
  const { betterAuth, express } = measured.machine;
  return `## Session checks

\`GET /profile\` with a live cookie: look up one session, compare its digest, return the user's email address.

${table(['server', 'requests/s', 'CPU µs each', 'against service on SQLite', 'server busy', 'generator busy'], rows)}

${connections} connections, ${accounts.toLocaleString('en')} users with one session each, medians of ${rounds} interleaved rounds of ${seconds} s; ${pinned ? 'the server on one core, generator and PostgreSQL on the others' : 'not pinned to cores'}. PostgreSQL ${postgres}, fsync on.
The ratios of the goals are those of the CPU column. If a server is busy for less than its whole core, the generator or PostgreSQL limited the requests per second.

- *bare SQLite*: node:http and node:sqlite, the same statement prepared once, the same digest, no framework, no log, no limits.
- *bare PostgreSQL*: node:http and a pool of pg with a named statement, one query per request. The service batches the look-ups of one turn of the event loop into one statement.
- *Better Auth* ${betterAuth}, \`get-session\`: node:sqlite, database joins on; its cookie cache is off, because it would accept sessions that have ended. It returns the whole session and user.
- *Express by hand*: Express ${express}, express-session and passport-local with a store on prepared statements of node:sqlite, WAL and synchronous=normal (the service: full). It also renews the session's expiry with every request, as its manual recommends; the service records it every five minutes.

${origin('checks', measured)}`;
}

function loginsSection(measured: Measured<LoginsResult>): string {
  const { accounts, connections, rounds, seconds, hashCost, hashesPerSecond, subjects } = measured.result;
  const rows = Object.entries(subjects).map(([name, figures]): Cell[] => [
    name,
    figures.loginsPerSecond,
    `${show((figures.loginsPerSecond / hashesPerSecond) * 100)} %`,
    figures.loginP50,
    figures.loginP99,
    figures.registrationsPerSecond,
    `${show(figures.refused * 100)} %`,
  ]);
  return `## Logins and registrations

\`POST /sessions\` with the correct password, \`POST /users\` with a new address. All use argon2id with ${hashCost.memoryKib} KiB and ${hashCost.passes} passes. Threads that only verify such hashes, one per core, reach **${show(hashesPerSecond)} per second**; the share is relative to that.

${table(['server', 'logins/s', 'share', 'p50 ms', 'p99 ms', 'registrations/s', 'rejected'], rows)}

${connections} connections, ${accounts.toLocaleString('en')} users, medians of ${rounds} interleaved rounds of ${seconds} s, nothing pinned. The rate limits of the service are set very high, and the others have none. The service also counts the attempt, writes the audit log and waits for the disk. On a machine that is busy with other work it rejects requests that would wait too long.

${origin('logins', measured)}`;
}

function floodSection(measured: Measured<FloodResult>): string {
  const { accounts, connections, checksPerSecond, rounds, seconds, hashed, grouped, limited } =
    measured.result;
  const cases: [string, FloodFigures][] = [
    ['SQLite, all hashed', hashed.sqlite],
    ['PostgreSQL, all hashed', hashed.postgres],
    ...('skipped' in grouped ? [] : [['PostgreSQL, in control groups', grouped] as [string, FloodFigures]]),
    ['SQLite, default limits', limited],
  ];
  const latencyRows = cases.flatMap(([name, figures]) => [
    [`${name}: idle`, ...numbers(figures.idle), ''],
    [`${name}: flood`, ...numbers(figures.flooded), `${show(figures.flooded.p99 / figures.idle.p99)} x`],
  ]);
  const floodRows = cases.map(([name, figures]): Cell[] => [
    name,
    figures.hashedPerSecond,
    Object.entries(figures.refusedPerSecond)
      .map(([status, rate]) => `${status}: ${show(rate)}`)
      .join(', ') || 'none',
    `${show(figures.refusalP50)} / ${show(figures.refusalP99)}`,
    `${show(figures.memoryBeforeMb)} / ${show(figures.memoryDuringMb)} / ${show(figures.memoryAfterMb)}`,
    `${show(figures.checksRecoveryMs)} / ${show(figures.loginRecoveryMs)}`,
    figures.generatorLateP99,
  ]);
  return `## Session checks in a flood of logins

${connections} connections send logins with wrong passwords to ${accounts.toLocaleString('en')} accounts, each as soon as the previous one was answered, while ${checksPerSecond.toLocaleString('en')} session checks per second are sent at fixed times (open loop). Latencies of the session checks, measured from the time at which each was due:

${table(['', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms', 'p99 against idle'], latencyRows)}

The flood itself:

${table(['', 'hashed/s', 'rejected/s by status', 'rejection p50 / p99 ms', 'MB before / during / after', 'recovery ms checks / login', 'generator late p99 ms'], floodRows)}

*All hashed*: limits so high, and requests from so many addresses, that every attempt costs a hash. *Default limits*: from one address, with the defaults of local mode. Medians of ${rounds} rounds of ${seconds} s idle and ${seconds} s of flood; service, generators and database share all cores. Recovery is the time from the end of the flood until three consecutive windows of 100 ms have a p90 within twice the idle p99, and until a correct login is answered. Every latency includes the delay of the generator itself.

*In control groups*: the same, in alternating rounds, with the service in a control group and PostgreSQL in another, as in containers. Without them, Linux groups processes by their session (\`autogroup\`, sched(7)), and each connection of PostgreSQL is one: so the low priority of the hashing threads does not count against PostgreSQL.${'skipped' in grouped ? ` Skipped: ${grouped.skipped}.` : ''}

${origin('flood', measured)}`;
}

function slowDiskSection(measured: Measured<SlowDiskResult>): string {
  const { skipped, delayMs, loginsPerSecond, checksPerSecond, rounds, seconds, usual, slow } =
    measured.result;
  const figures =
    skipped !== undefined || usual === undefined || slow === undefined
      ? `Skipped: ${skipped ?? 'not measured'}.`
      : table(
          ['', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms'],
          [
            ['session checks, normal disk', ...numbers(usual.checks)],
            ['session checks, slow disk', ...numbers(slow.checks)],
            ['logins, normal disk', ...numbers(usual.logins)],
            ['logins, slow disk', ...numbers(slow.logins)],
          ],
        );
  return `## Slow disk

Every fsync and fdatasync takes ${delayMs} ms longer (strace delays them, and traces the other rounds too), at ${loginsPerSecond} logins and ${checksPerSecond.toLocaleString('en')} session checks per second on SQLite, open loop.

${figures}

Medians of ${rounds} rounds of ${seconds} s.

${origin('slow-disk', measured)}`;
}

function enumerationSection(measured: Measured<EnumerationResult>): string {
  const { skipped, delayMs, pairs, requests } = measured.result;
  const figures =
    skipped === undefined
      ? table(
          ['request', 'known ms', 'unknown ms', 'difference ms'],
          Object.entries(requests).map(([name, { known, unknown }]) => [
            name,
            known,
            unknown,
            known - unknown,
          ]),
        )
      : `Skipped: ${skipped}.`;
  return `## Known and unknown addresses

Every fsync and fdatasync takes ${delayMs} ms longer, so that a commit that only one kind of address causes is visible. One client asks about addresses with and without an account in turns, on SQLite in public mode: it requests a mail and then tries a wrong code. Accounts are unconfirmed where a confirmation is requested, otherwise confirmed.

${figures}

Medians of ${pairs} pairs.

${origin('enumeration', measured)}`;
}

function mailsSection(measured: Measured<MailsResult>): string {
  const { accounts, mails, loginsPerSecond, rounds, seconds, bareMailsPerSecond, engines } = measured.result;
  const names = { sqlite: 'SQLite', postgres: 'PostgreSQL' } as const;
  const figuresOf = Object.entries(names).map(
    ([engine, name]) => [name, engines[engine as keyof typeof names]] as const,
  ); // its own keys
  const rateRows = figuresOf.map(([name, figures]): Cell[] => [
    `service on ${name}`,
    figures.mailsPerSecond,
    `${show((figures.mailsPerSecond / bareMailsPerSecond) * 100)} %`,
    figures.cpuMicros,
    `${show((figures.mailsPerSecond * figures.cpuMicros) / 1e4)} %`,
    `${show(figures.mailServerBusy * 100)} %`,
    figures.mailsPerSecondBesideLogins,
  ]);
  const loginRows = figuresOf.flatMap(([name, { idle, hanging, sending }]) => {
    const against = (latencies: Latencies): string =>
      `${show(latencies.p50 / idle.p50)} x / ${show(latencies.p99 / idle.p99)} x`;
    return [
      [`${name}: nothing to send`, ...numbers(idle), ''],
      [`${name}: the mail server hangs`, ...numbers(hanging), against(hanging)],
      [`${name}: a queue is being sent`, ...numbers(sending), against(sending)],
    ];
  });
  return `## Emails

The outbox sends ${mails.toLocaleString('en')} queued emails to an SMTP server on this machine (the package smtp-server, in a separate process), each to a different recipient. The library alone (nodemailer, the same two connections, the same email repeatedly, nothing read, decrypted or recorded) sends **${show(bareMailsPerSecond)} per second**; the share is relative to that.

${table(['sender', 'emails/s', 'share', 'CPU µs each', 'service busy', 'mail server busy', 'emails/s during logins'], rateRows)}

The effect on users: \`POST /sessions\` with the correct password, ${loginsPerSecond} per second at fixed times (open loop).

${table(['', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms', 'p50 / p99 against nothing to send'], loginRows)}

${accounts.toLocaleString('en')} users, medians of ${rounds} interleaved rounds of ${seconds} s; service, mail server, generator and PostgreSQL share all cores. *Hangs*: the server accepts the connection and never answers \`MAIL FROM\`.

The SMTP dialog is the limit: each email takes four round trips on one of two connections, and a batch has ten emails; neither program uses a whole core. On a network the round trips take longer, and the CPU share is smaller. Logins in parallel wait for their hash, because hashing threads have the lowest priority. We tried four connections and batches of twenty: interleaved with two and ten, they sent between 0.8 and 1.3 times as many. We kept two, because some mail providers allow at most three connections per customer, and two instances would open eight.

${origin('mails', measured)}`;
}

function pagesSection(measured: Measured<PagesResult>): string {
  const { accounts, rounds, seconds, views, pages, files } = measured.result;
  const base = views['session check']?.p50 ?? Number.NaN;
  const viewRows = Object.entries(views).map(([name, { p50, p99, cpuMicros }]): Cell[] => [
    name,
    p50,
    p99,
    cpuMicros,
    `${show(p50 / base)} x`,
  ]);
  const weightRows = Object.entries({ ...pages, ...files }).map(([path, weight]): Cell[] => [
    `\`${path}\``,
    weight.bytes,
    weight.gzipBytes,
  ]);
  const first = [pages['/sign-in'], ...Object.values(files)].filter((one) => one !== undefined);
  const sum = (read: (weight: Weight) => number): string =>
    show(first.reduce((total, weight) => total + read(weight), 0) / 1000);
  return `## Pages

How long one user waits on SQLite, from the request to the last byte of the reply, compared with a session check (\`GET /profile\`) in the same run:

${table(['', 'p50 ms', 'p99 ms', 'CPU µs each', 'p50 against the check'], viewRows)}

One connection, one request at a time, ${accounts.toLocaleString('en')} users with one session each, medians of ${rounds} interleaved rounds of ${seconds} s. A browser requests the style sheet and the script once: their addresses change with their content, and the browser caches them for a year.

Sizes, as the service sends them and as a proxy with gzip would:

${table(['', 'bytes', 'gzip'], weightRows)}

The first visit of the sign-in page loads ${sum(({ bytes }) => bytes)} kB, or ${sum(({ gzipBytes }) => gzipBytes)} kB compressed, all of it from the service. The script is a module, which browsers run after parsing the page: the first paint waits for the style sheet only, and every form works without the script.

${origin('pages', measured)}`;
}

function startSection(measured: Measured<StartResult>): string {
  const { starts, first, sqlite, postgres, bare, loadedMb } = measured.result;
  return `## Start and memory

${table(
  ['', 'first answer ms', 'idle MB', 'after load MB'],
  [
    ['on SQLite', sqlite.startMs, sqlite.idleMb, show(loadedMb.sqlite)],
    ['on PostgreSQL', postgres.startMs, postgres.idleMb, show(loadedMb.postgres)],
    ['the first start, which creates the database', first.startMs, first.idleMb, '-'],
    ['bare node:http with node:sqlite, for comparison', bare.startMs, bare.idleMb, '-'],
  ],
)}

Medians of ${starts} starts of \`bienvenue serve\`, from process start to the first answer; resident memory of the process with all its threads, two seconds later, and after 20 s of session checks and 20 s of logins over 32 connections.

${origin('start', measured)}`;
}

function installSection(measured: Measured<InstallResult>): string {
  const { packages, megabytes, runtimeMb, heaviest } = measured.result;
  return `## Installed size

\`npm ci --omit=dev\`: **${show(megabytes)} MB** in ${packages} packages, and ${show(runtimeMb)} MB for the pinned Node.js. The heaviest: ${heaviest.map(([name, size]) => `${name} ${show(size)} MB`).join(', ')}.

${origin('install', measured)}`;
}

function scaleSection(measured: Measured<ScaleResult>): string {
  const { few, many, rounds, seconds, engines } = measured.result;
  const rows = Object.entries(engines).flatMap(([engine, figures]) => [
    [
      `${engine}, ${few.toLocaleString('en')}`,
      figures.few.checksPerSecond,
      figures.few.checkMicros,
      figures.few.loginsPerSecond,
      figures.few.loginP50,
    ],
    [
      `${engine}, ${many.toLocaleString('en')}`,
      figures.many.checksPerSecond,
      figures.many.checkMicros,
      figures.many.loginsPerSecond,
      figures.many.loginP50,
    ],
    [
      'ratio',
      figures.many.checksPerSecond / figures.few.checksPerSecond,
      figures.many.checkMicros / figures.few.checkMicros,
      figures.many.loginsPerSecond / figures.few.loginsPerSecond,
      figures.many.loginP50 / figures.few.loginP50,
    ],
  ]);
  return `## A million accounts

${table(['users and sessions', 'checks/s', 'CPU µs each', 'logins/s', 'one login alone, ms'], rows)}

The service runs on one core; the requests use 10,000 sessions spread over all of them. Medians of ${rounds} interleaved rounds of ${seconds} s.

${origin('scale', measured)}`;
}

function numbers({ p50, p90, p99, max }: Latencies): number[] {
  return [p50, p90, p99, max];
}

const method = `## Method

- A and B are measured in interleaved rounds (A B A B …), and the tables show medians. Status and body of every reply are checked; a wrong reply ends the run.
- The generator is a separate program (\`bench/load\`). Throughput is measured with connections that send the next request after each reply. Latency is measured with requests sent at fixed times, independent of the server, and counted from the time at which each was due.
- CPU per request is the time of the server process (\`/proc/<pid>/stat\`, all threads, user and system), without PostgreSQL.
- Servers run with their defaults and log to a file as in production; the text names options that differ.
- \`npm run bench\` runs everything, in some forty minutes on an idle machine. \`npm run bench -- --help\` shows how to run parts, and how to check that it works (\`--quick\`). \`BENCH_DATABASE_URL\` names a PostgreSQL server to use instead of one that is started for the run.`;

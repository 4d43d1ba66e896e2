// The report: docs/performance.md, and the same on the terminal.
import type { FloodFigures, FloodResult } from './part/flood.ts';
import type { ChecksResult } from './part/checks.ts';
import type { InstallResult } from './part/install.ts';
import type { LoginsResult } from './part/logins.ts';
import type { MailsResult } from './part/mails.ts';
import type { PagesResult, Weight } from './part/pages.ts';
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
    results.mails && mailsSection(results.mails),
    results.pages && pagesSection(results.pages),
    results.start && startSection(results.start),
    results.install && installSection(results.install),
    results.scale && scaleSection(results.scale),
    method,
  ];
  return `${sections.filter((section) => section !== undefined).join('\n\n')}\n`;
}

const intro = `# What it costs

Written by \`npm run bench\`; every figure can be measured again by the command that stands with it. Compare the ratios,
not the figures: those of another machine, or of another hour of the same one, differ by a third.`;

function goalSection(results: Results): string {
  const rows = goals.map(({ says, aim, unit, measured, isReached }): Cell[] => {
    const value = measured(results);
    if (value === undefined || Number.isNaN(value)) return [says, aim, 'not measured', ''];
    return [says, aim, `${show(value)} ${unit}`, isReached(value) ? 'yes' : '**no**'];
  });
  return `## Goals\n\n${table(['measure', 'goal', 'measured', 'reached'], rows)}`;
}

/** Where a section's figures come from. */
function origin(part: string, { date, commit, machine }: Measured<unknown>): string {
  const { processor, cores, memoryGb, system, node, sqlite, fsyncMs } = machine;
  return `\`npm run bench -- --only ${part}\`, ${date}, commit ${commit}; ${processor}, ${cores} cores, ${memoryGb} GB, ${system}; Node ${node}, SQLite ${sqlite}; a write of 4 KiB with fdatasync takes ${show(fsyncMs)} ms.`;
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

\`GET /profile\` with a live cookie: one session looked up, its digest compared, the user's e-mail answered.

${table(['server', 'requests/s', 'CPU µs each', 'against ours on SQLite', 'server busy', 'generator busy'], rows)}

${connections} connections, ${accounts.toLocaleString('en')} users with one session each, medians of ${rounds} interleaved rounds of ${seconds} s; ${pinned ? 'the server on one core, generator and PostgreSQL on the others' : 'not pinned to cores'}. PostgreSQL ${postgres}, fsync on.
The ratios of the goals are those of the CPU column. Where a server is busy for less than its whole core, the generator or PostgreSQL was the limit of requests/s.

- *bare SQLite*: node:http and node:sqlite, the same statement prepared once, the same digest, no framework, no log, no limits.
- *bare PostgreSQL*: node:http and a pool of pg with a named statement, one query a request. Ours gathers the look-ups of one turn of the event loop into one statement.
- *Better Auth* ${betterAuth}, \`get-session\`: node:sqlite, database joins on; its cookie cache is off, since with it an ended session goes on being accepted. It answers the whole session and user.
- *Express by hand*: Express ${express}, express-session and passport-local with a store on prepared statements of node:sqlite, WAL and synchronous=normal (ours: full). It also renews the session's expiry with every request, as the manual asks for; ours notes it every five minutes.

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

\`POST /sessions\` with the right password, \`POST /users\` with a new address. argon2id with ${hashCost.memoryKib} KiB and ${hashCost.passes} passes everywhere. Threads that do nothing but verify such hashes, one for each core, reach **${show(hashesPerSecond)} a second**: the share is of that.

${table(['server', 'logins/s', 'share', 'p50 ms', 'p99 ms', 'registrations/s', 'refused'], rows)}

${connections} connections, ${accounts.toLocaleString('en')} users, medians of ${rounds} interleaved rounds of ${seconds} s, nothing pinned. Limits on attempts are set wide for ours, and the others have none. Ours also counts the attempt, writes the audit record and waits for the disk; a machine that is busy with something else makes it refuse what would wait too long.

${origin('logins', measured)}`;
}

function floodSection(measured: Measured<FloodResult>): string {
  const { accounts, connections, checksPerSecond, rounds, seconds, hashed, limited } = measured.result;
  const cases: [string, FloodFigures][] = [
    ['SQLite, all hashed', hashed.sqlite],
    ['PostgreSQL, all hashed', hashed.postgres],
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

${connections} connections send logins with wrong passwords to ${accounts.toLocaleString('en')} accounts, each as soon as the last was answered, while ${checksPerSecond.toLocaleString('en')} session checks a second are sent at fixed times (open loop). Latencies of the session checks, from the time at which each was due:

${table(['', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms', 'p99 against idle'], latencyRows)}

And what became of the flood:

${table(['', 'hashed/s', 'refused/s by status', 'refusal p50 / p99 ms', 'MB before / during / after', 'recovery ms checks / login', 'generator late p99 ms'], floodRows)}

*All hashed*: limits set so wide, and from so many addresses, that every attempt costs a hash. *Default limits*: from one address, as the service is set up in local mode. Medians of ${rounds} rounds of ${seconds} s idle and ${seconds} s of flood; service, generators and database share all cores. Recovery counts from the flood's end: until three windows of 100 ms in a row have their p90 within twice the idle p99, and until a right login is answered. What the generator itself was late is part of every latency.

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
            ['session checks, disk as it is', ...numbers(usual.checks)],
            ['session checks, slow disk', ...numbers(slow.checks)],
            ['logins, disk as it is', ...numbers(usual.logins)],
            ['logins, slow disk', ...numbers(slow.logins)],
          ],
        );
  return `## Slow disk

Every fsync and fdatasync takes ${delayMs} ms longer (strace delays them; it traces the other rounds too), at ${loginsPerSecond} logins a second and ${checksPerSecond.toLocaleString('en')} session checks a second on SQLite, open loop.

${figures}

Medians of ${rounds} rounds of ${seconds} s.

${origin('slow-disk', measured)}`;
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
  return `## Mails

The outbox sends ${mails.toLocaleString('en')} mails that wait in it to an SMTP server on this machine (the package smtp-server, a process of its own), each to somebody else. The library alone (nodemailer, the same two connections, the same mail again and again, nothing read, decrypted or noted) sends **${show(bareMailsPerSecond)} a second**: the share is of that.

${table(['sender', 'mails/s', 'share', 'CPU µs each', 'service busy', 'mail server busy', 'mails/s beside logins'], rateRows)}

And what people feel of it: \`POST /sessions\` with the right password, ${loginsPerSecond} a second at fixed times (open loop).

${table(['', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms', 'p50 / p99 against nothing to send'], loginRows)}

${accounts.toLocaleString('en')} users, medians of ${rounds} interleaved rounds of ${seconds} s; service, mail server, generator and PostgreSQL share all cores. *Hangs*: it takes the connection, and answers no \`MAIL FROM\`.

What limits is the conversation: each mail is four questions and answers on one of two connections, and ten mails are claimed at a time; neither program is busy for the whole of a core. On a network the round trips take longer, and the CPU less of it. A login beside it waits for its hash, since the threads that hash give way to all else. Tried and left: four connections and twenty mails at a time, which in turns with two and ten sent between 0.8 and 1.3 times as many here; some mail providers take no more than three connections of a customer, and two instances would have eight.

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

What one person waits for on SQLite, from the request to the last byte of the reply, beside a session check (\`GET /profile\`) in the same run:

${table(['', 'p50 ms', 'p99 ms', 'CPU µs each', 'p50 against the check'], viewRows)}

One connection, one request at a time, ${accounts.toLocaleString('en')} users with one session each, medians of ${rounds} interleaved rounds of ${seconds} s. A browser asks for the style sheet and the script once: their addresses change with their content, and it keeps them for a year.

And what they weigh, as the service sends them and as a proxy with gzip would:

${table(['', 'bytes', 'gzip'], weightRows)}

The first visit of the sign-in page loads ${sum(({ bytes }) => bytes)} kB, or ${sum(({ gzipBytes }) => gzipBytes)} kB compressed, all of it from the service. The script is a module, which browsers run after they have read the page: what is seen first waits for the style sheet alone, and every form works without the script.

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
    ['the very first start, which makes the database', first.startMs, first.idleMb, '-'],
    ['bare node:http with node:sqlite, for comparison', bare.startMs, bare.idleMb, '-'],
  ],
)}

Medians of ${starts} starts of \`bienvenue serve\`, from its start as a process to the first answer; resident memory of the process with all its threads, two seconds after that, and after 20 s of session checks and 20 s of logins over 32 connections.

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

The service on one core; 10,000 different sessions spread over all are asked for. Medians of ${rounds} interleaved rounds of ${seconds} s.

${origin('scale', measured)}`;
}

function numbers({ p50, p90, p99, max }: Latencies): number[] {
  return [p50, p90, p99, max];
}

const method = `## Method

- A and B are measured in turns (A B A B …), and medians are told. Every reply is checked, status and body; a wrong one ends the run.
- The generator is a program of its own (\`bench/load\`). How much a server takes is measured by connections that send the next request when the reply has come; how long somebody waits, by requests sent at fixed times, whatever the server does, and counted from the time at which each was due.
- CPU per request is the process's own time (\`/proc/<pid>/stat\`, all threads, user and system). It does not count PostgreSQL's.
- Servers run with their defaults and log as they do in production, to a file; options that differ are named.
- To run all of it: \`npm run bench\`, some forty minutes on a machine that does nothing else. \`npm run bench -- --help\` tells how to run parts, and how to try whether it works at all (\`--quick\`). \`BENCH_DATABASE_URL\` names a PostgreSQL to use instead of one that is started for the run.`;

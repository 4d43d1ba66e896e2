/**
 * Writes the files that follow from the code: the description of the interface, the manual's tables, and the list of
 * routes that a review reads. A test compares them with what stands in the repository.
 *
 *   npm run generate
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLog } from '../server/src/kit/log.ts';
import { problemSentences, type ProblemCode } from '../server/src/kit/problem.ts';
import { options, type OptionName, type OptionRow } from '../server/src/config/options.ts';
import { hasSecretFile, readOptions, type Environment } from '../server/src/config/read-options.ts';
import { migratedModules } from '../server/src/app/migrations.ts';
import { openDatabase } from '../server/src/db/open-database.ts';
import { createLog } from '../server/src/http/log.ts';
import { problemStatus } from '../server/src/http/problem-handler.ts';
import { createApp } from '../server/src/app/server.ts';
import type { RouteEntry } from '../server/src/app/access.ts';
import { buildService } from '../server/src/app/core.ts';
import { eventReference } from './event-reference.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Texts by their paths from the root. */
export async function generate(): Promise<ReadonlyMap<string, string>> {
  const [local, open] = [await describe({}), await describe(publicMode)];
  return new Map([
    ['openapi.json', `${JSON.stringify(open.openapi, null, 2)}\n`],
    ['docs/configuration.md', configurationManual()],
    ['docs/problems.md', problemManual()],
    ['docs/reference/events.md', eventReference()],
    ['server/test/routes.snapshot.txt', routeList(local.routes, open.routes)],
  ]);
}

/** Every route but the mailbox is there in this mode. Nothing is sent: the generator serves nobody. */
const publicMode: Environment = {
  PUBLIC_URL: 'https://accounts.example.org',
  SMTP_URL: 'smtp://127.0.0.1:25',
  MAIL_FROM: 'accounts@example.org',
  EMAIL_SIGN_IN: 'true',
  REMEMBERED_DEVICE_DAYS: '30',
  PASSKEY_ORIGINS: 'https://app.example.org',
};

/** What a service in this environment says of itself. */
async function describe(
  environment: Environment,
): Promise<{ openapi: object; routes: readonly RouteEntry[] }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bienvenue-generate-'));
  try {
    const configuration = readOptions({ DATA_DIR: folder, LOG_LEVEL: 'silent', ...environment });
    const service = await buildService(
      configuration,
      await openDatabase(configuration.options.databaseUrl, migratedModules),
      silentLog,
    );
    let routes: readonly RouteEntry[] = [];
    const app = await createApp(service, await createLog({ level: 'silent', pretty: false }), {
      onRoutes: (all) => (routes = all.filter(({ isRefusal }) => !isRefusal)),
    });
    await app.ready();
    const openapi = app.swagger();
    await app.close();
    await service.close();
    return { openapi, routes };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function routeList(local: readonly RouteEntry[], open: readonly RouteEntry[]): string {
  const [inLocal, inPublic] = [new Set(local.map(routeLine)), new Set(open.map(routeLine))];
  const lines = [...new Set([...inLocal, ...inPublic])].toSorted().map((each) => {
    if (!inLocal.has(each)) return `${each}  (in public mode, or by an option)`;
    return inPublic.has(each) ? each : `${each}  (in local mode)`;
  });
  return [
    'Every route with its access level, and what a request costs of the rate limit by address. Any other method on these',
    'paths is answered with 405, and OPTIONS lists the allowed ones. Written by `npm run generate`.',
    '',
    ...lines,
    '',
  ].join('\n');
}

function routeLine({ access, cost, method, url }: RouteEntry): string {
  return [access.padEnd(10), `cost ${cost}`.padEnd(8), method.padEnd(7), url].join(' ');
}

/** Headings of the manual, each at the option that it begins with. */
const headings: Partial<Record<OptionName, string>> = {
  publicUrl: 'Where it is reached',
  dataDir: 'What it keeps, and where',
  logLevel: 'Log',
  sessionDays: 'Sessions and tokens',
  auditDays: 'Record of what happened',
  passwordMinLength: 'Passwords',
  revealAccounts: 'Rules that differ between local and public mode',
  smtpUrl: 'Mail',
  trustedProxies: 'Proxies, browsers and limits',
  hashThreads: 'Hashing',
};

function configurationManual(): string {
  const names = Object.keys(options) as OptionName[]; // the table's own keys
  const sections = names.flatMap((name) => {
    const heading = headings[name];
    const begin =
      heading === undefined
        ? []
        : ['', `## ${heading}`, '', '| option | default | what it does |', '|---|---|---|'];
    return [...begin, optionLine(options[name])];
  });
  return [
    '# Options',
    '',
    '<!-- Written by `npm run generate` from server/src/config/options.ts. -->',
    '',
    'Options are environment variables. They may also stand in a TOML file, by the same names, whose path is in',
    '`BIENVENUE_CONFIG`; the environment goes first. An empty value is as good as none. A service that is given something it',
    'cannot use says everything that is wrong, at once, and does not start.',
    '',
    'Local mode is for trying things out: it holds while `PUBLIC_URL` is unset or names a loopback host. With an https',
    '`PUBLIC_URL` the rules of the open internet hold: public mode. `bienvenue config` shows what holds.',
    ...sections,
    '',
  ].join('\n');
}

function optionLine({ env, says, secret, ...row }: OptionRow<unknown>): string {
  const file = hasSecretFile({ env, ...(secret && { secret }) })
    ? `, and may be given as the path of a file in \`${env}_FILE\``
    : '';
  const secrecy = secret === true ? ` Secret: never shown${file}.` : '';
  return `| \`${env}\` | ${inCell(defaultOf(row))} | ${inCell(says + secrecy)} |`;
}

function defaultOf({
  default: of,
  defaultSays,
}: Pick<OptionRow<unknown>, 'default' | 'defaultSays'>): string {
  if (defaultSays !== undefined) return defaultSays;
  const [local, open] = [false, true].map((isPublic) =>
    showDefault(of({ isPublic, dataDir: './data', requiresSecondFactor: false })),
  );
  return local === open ? `${local}` : `${local} in local mode, ${open} in public mode`;
}

function showDefault(value: unknown): string {
  const isNone = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  return isNone ? 'none' : `\`${JSON.stringify(value).replaceAll('"', '')}\``;
}

function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/`[^`]*`|</g, (found) => (found === '<' ? '&lt;' : found));
}

function problemManual(): string {
  const codes = Object.keys(problemSentences) as ProblemCode[]; // the table's own keys
  return [
    '# Problems',
    '',
    '<!-- Written by `npm run generate` from server/src/kit/problem.ts and server/src/http/problem-handler.ts. -->',
    '',
    'A refused request is answered with `application/problem+json` (RFC 9457). Programs decide by `code`, which does not',
    'change; the sentence in `title` and `message` is for people and may be reworded. Where fields are at fault, `errors`',
    'names each with what is wrong. `request_id` stands in the log as well. One refusal has a body of its own, as the',
    'contract wants it: a taken e-mail at `POST /users` is 400 with `{"message":"email already registered"}`.',
    '',
    '| code | status | sentence |',
    '|---|---|---|',
    ...codes.map((code) => `| \`${code}\` | ${problemStatus[code]} | ${inCell(problemSentences[code])} |`),
    '',
  ].join('\n');
}

if (import.meta.main) {
  for (const [file, text] of await generate()) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
}

/**
 * Writes the files that are generated from the code: openapi.json, the reference documentation, and the list of routes.
 * A test compares them with the files in the repository.
 *
 *   npm run generate
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLog } from '../server/src/kit/log.ts';
import { getProblem, problemCodes } from '../server/src/kit/problem.ts';
import { defaultDataDir, localDefault, type OptionRow } from '../server/src/config/option.ts';
import type { Environment } from '../server/src/config/read-options.ts';
import { hasSecretFile } from '../server/src/config/secret-file.ts';
import { allOptions, readOptions } from '../server/src/app/options.ts';
import { migratedModules } from '../server/src/app/migrations.ts';
import { modules } from '../server/src/app/modules.ts';
import { coreOptions } from '../server/src/config/options.ts';
import { openDatabase } from '../server/src/db/open-database.ts';
import { createLog } from '../server/src/http/log.ts';
import { createApp } from '../server/src/app/server.ts';
import type { RouteEntry } from '../server/src/app/access.ts';
import { buildService } from '../server/src/app/core.ts';
import { commandLineReference } from './command-line-reference.ts';
import { eventReference } from './event-reference.ts';
import { assembledPages, removeLostPictures } from './feature-pages.ts';
import { hashReference } from './hash-reference.ts';
import { httpReference, type ListedRoute } from './http-reference.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Returns the generated texts by their paths from the root. */
export async function generate(): Promise<ReadonlyMap<string, string>> {
  const [local, open] = [await describe({}), await describe(publicMode)];
  return new Map([
    ['openapi.json', `${JSON.stringify(open.openapi, null, 2)}\n`],
    ['docs/reference/configuration.md', configurationManual()],
    ['server/src/library/service-options.generated.ts', serviceOptions()],
    ['docs/reference/problems.md', problemManual()],
    ['docs/reference/http.md', await httpManual(local, open)],
    ['docs/reference/command-line.md', await commandLineReference()],
    ['docs/reference/events.md', eventReference()],
    ['docs/reference/password-hashes.md', hashReference()],
    ['server/test/routes.snapshot.txt', routeList(local.routes, open.routes)],
    ...assembledPages(root),
  ]);
}

/** Public mode with the default of every other option. The generator sends nothing. */
const barePublicMode: Environment = {
  PUBLIC_URL: 'https://accounts.example.org',
  SMTP_URL: 'smtp://127.0.0.1:25',
  MAIL_FROM: 'accounts@example.org',
};
/** Options that add routes. */
const routeOptions: Environment = {
  EMAIL_CONFIRMATION: 'true',
  EMAIL_SIGN_IN: 'true',
  REMEMBERED_DEVICE_DAYS: '30',
  PASSKEY_ORIGINS: 'https://app.example.org',
};
/** Every route except the mailbox exists in this mode. */
const publicMode: Environment = { ...barePublicMode, ...routeOptions };

/** The description of a service. */
interface Described {
  readonly openapi: object;
  readonly routes: readonly RouteEntry[];
}

/** Describes a service that runs in this environment. */
async function describe(environment: Environment): Promise<Described> {
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
    'Every route with its access level, and what a request costs of the rate limit by address. "A read" counts toward the',
    'limit of reads per account. Any other method on these paths is answered with 405, and OPTIONS lists the allowed ones.',
    'Written by `npm run generate`.',
    '',
    ...lines,
    '',
  ].join('\n');
}

function routeLine({ access, cost, method, url, isCountedRead }: ListedRoute): string {
  const line = [access.padEnd(10), `cost ${cost}`.padEnd(8), method.padEnd(7), url].join(' ');
  return isCountedRead ? `${line}  (a read)` : line;
}

async function httpManual(local: Described, open: Described): Promise<string> {
  const always = new Set(local.routes.map(routeLine));
  const settings: { readonly when: string; readonly keys: ReadonlySet<string> }[] = [];
  for (const [when, environment] of [
    ['in public mode', barePublicMode],
    ...Object.entries(routeOptions).map(([name, value]) => [`with \`${name}\``, { [name]: value }] as const),
  ] as const) {
    const { routes } = await describe(environment);
    settings.push({ when, keys: new Set(routes.map(routeLine)) });
  }
  return httpReference(open.openapi, open.routes, (route) => {
    const line = routeLine(route);
    if (always.has(line)) return undefined;
    const whens = settings.filter(({ keys }) => keys.has(line)).map(({ when }) => when);
    return `Only ${whens.join(' or ')}.`;
  });
}

/** Headings of the options of the core, each with the first option of its section. Modules have sections of their own. */
const headings: Readonly<Record<string, string>> = {
  publicUrl: 'Address',
  dataDir: 'Data and keys',
  logLevel: 'Log and audit',
  smtpUrl: 'Email',
  productName: 'Pages',
  trustedProxies: 'Proxies, browsers and rate limits',
  hashThreads: 'Hashing',
};

function configurationManual(): string {
  const ofCore = Object.entries<OptionRow<unknown>>(coreOptions).flatMap(([name, row]) => {
    const heading = headings[name];
    return [...(heading === undefined ? [] : beginSection(heading)), optionLine(row)];
  });
  const ofModules = modules.flatMap(({ title, options }) => {
    const rows = Object.values(options);
    return rows.length === 0 ? [] : [...beginSection(title), ...rows.map(optionLine)];
  });
  return [
    '# Configuration',
    '',
    '<!-- Generated by `npm run generate` from the option tables of the modules. -->',
    '',
    'Set options as environment variables, or by the same names in a TOML file, and set `BIENVENUE_CONFIG` to its path:',
    '',
    '```toml',
    'PUBLIC_URL = "https://accounts.example.org"',
    'ALLOWED_ORIGINS = "https://app.example.org"',
    'SESSION_DAYS = 14',
    '```',
    '',
    'The environment takes precedence. An empty value counts as unset. If any option is invalid, the service refuses to start and',
    'lists every error. A flag is `true` or `false`; a list has its items separated by commas or spaces.',
    '',
    'If `PUBLIC_URL` is unset or names a loopback host, the service runs in local mode, for development. An https `PUBLIC_URL`',
    'turns on public mode. `bienvenue config` prints the value of each option.',
    ...ofCore,
    ...ofModules,
    '',
  ].join('\n');
}

function beginSection(heading: string): string[] {
  return ['', `## ${heading}`, '', '| option | default | description |', '|---|---|---|'];
}

/** The type of the options of `openService`, so that an editor knows their names. */
function serviceOptions(): string {
  const members = Object.values(allOptions).flatMap((row) => {
    const secret = hasSecretFile(row, allOptions)
      ? ['', `  /** Path of a file with ${row.env}. */`, `  readonly ${row.env}_FILE?: string | undefined;`]
      : [];
    return [
      '',
      ...commentOf(`${descriptionOf(row)} Default: ${defaultOf(row)}.`),
      `  readonly ${row.env}?: string | undefined;`,
      ...secret,
    ];
  });
  return [
    '// Names the options of `openService`. Generated by `npm run generate` from the option tables of the modules.',
    '',
    '/** Options of a service by name, as texts. Those that are absent or empty have their defaults. */',
    'export interface ServiceOptions {',
    '  /** Path of a TOML file with options, which have these names there too. */',
    '  readonly BIENVENUE_CONFIG?: string | undefined;',
    ...members,
    '}',
    '',
  ].join('\n');
}

/** Returns a comment with lines of at most 110 characters. */
function commentOf(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + word.length > 104) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return ['  /**', ...lines.map((line) => `   * ${line}`), '   */'];
}

function optionLine(row: OptionRow<unknown>): string {
  const file = hasSecretFile(row, allOptions)
    ? `, and may be given as the path of a file in \`${row.env}_FILE\``
    : '';
  const secrecy = row.secret === true ? ` Secret: never shown${file}.` : '';
  return `| \`${row.env}\` | ${inCell(defaultOf(row))} | ${inCell(descriptionOf(row) + secrecy)} |`;
}

/** Returns the description of an option with the values that it accepts. */
function descriptionOf({ says, parse }: OptionRow<unknown>): string {
  return parse.accepts === undefined ? says : `${says} ${parse.accepts}`;
}

function defaultOf(row: OptionRow<unknown>): string {
  if (row.defaultSays !== undefined) return row.defaultSays;
  const [local, open] = [false, true].map((isPublic) =>
    showDefault(row.default({ isPublic, dataDir: defaultDataDir, valueOf: localDefault })),
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
  return [
    '# Problems',
    '',
    '<!-- Generated by `npm run generate` from the files `problem.ts` of the modules. -->',
    '',
    'A rejected request is answered with `application/problem+json` (RFC 9457). Decide by `code`: it does not change. The',
    'sentences in `title` and `message` are for people and may be reworded. If fields are invalid, `errors` lists each of',
    'them with its fault. `request_id` is also in the log. One reply has another body: `POST /users` with a taken email is',
    '400 with `{"message":"email already registered"}`.',
    '',
    '| code | status | title |',
    '|---|---|---|',
    ...problemCodes().map((code) => {
      const { status, title } = getProblem(code);
      return `| \`${code}\` | ${status} | ${inCell(title)} |`;
    }),
    '',
  ].join('\n');
}

if (import.meta.main) {
  for (const [file, text] of await generate()) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  removeLostPictures(root);
}

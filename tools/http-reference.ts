// Renders docs/reference/http.md from the OpenAPI description and the list of routes.
import type { ProblemCode } from '../server/src/kit/problem.ts';

/** A route of the list, as the reference needs it. */
export interface ListedRoute {
  readonly method: string;
  /** As the framework writes it: parameters begin with a colon. */
  readonly url: string;
  readonly access: string;
  readonly isPage: boolean;
  /** Units of the address limit. */
  readonly cost: number;
  /** Counts as a read of the account. */
  readonly isCountedRead: boolean;
}

/** The parts of a JSON schema that our routes use. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly maxLength?: number;
  readonly description?: string;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly description?: string;
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses?: Readonly<Record<string, Content>>;
}

/** The parts of an OpenAPI description that the reference shows. */
export interface Description {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Access levels, in the order of the page, each with its sentence and the problems of a request without access. */
const accessLevels: readonly (readonly [level: string, means: string, problems: readonly ProblemCode[]])[] = [
  ['open', 'Any client.', []],
  ['optional', 'Any client; a live session is recognized.', []],
  ['session', 'A live session.', ['session_required']],
  [
    'pending',
    'A pending authentication: the password was correct, a second factor is required.',
    ['pending_authentication_required'],
  ],
  [
    'enrollment',
    'A live session, or a pending authentication that must add a second factor.',
    ['session_required', 'pending_authentication_required'],
  ],
  ['admin', 'An administrator.', []],
  ['client', 'A program with credentials of its own.', []],
];

/** Problems of every request that changes something or has a body. */
const bodyProblems: readonly ProblemCode[] = ['invalid_request', 'body_too_large', 'unsupported_media_type'];
const limitedProblems: readonly ProblemCode[] = ['too_many_requests', 'cross_site'];
const commonProblems: readonly ProblemCode[] = [
  'not_found',
  'method_not_allowed',
  'request_timeout',
  'headers_too_large',
  'too_busy',
  'unavailable',
  'internal_error',
];

/** The reference of all routes; `conditionOf` says when a route exists that does not always exist. */
export function httpReference(
  { paths = {} }: Description,
  routes: readonly ListedRoute[],
  conditionOf: (route: ListedRoute) => string | undefined,
): string {
  const sections = new Map<string, string[]>();
  for (const route of routes.filter(({ method, isPage }) => method !== 'HEAD' && !isPage)) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    const operation = paths[path]?.[route.method.toLowerCase()];
    if (operation === undefined) continue;
    const name = `/${path.split('/')[1] ?? ''}`;
    const section = sections.get(name) ?? [];
    section.push(operationText(route, path, operation, conditionOf(route)));
    sections.set(name, section);
  }
  const used = new Set(routes.map(({ access }) => access));
  return (
    [
      intro(accessLevels.filter(([level]) => used.has(level))),
      ...[...sections]
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .flatMap(([name, operations]) => [`## ${name === '/' ? 'Greeting' : name}`, ...operations]),
      pageTable(routes),
      '',
    ]
      .join('\n\n')
      .trimEnd() + '\n'
  );
}

function intro(levels: typeof accessLevels): string {
  return [
    '# HTTP API',
    '',
    '<!-- Written by `npm run generate` from the routes and their schemas. -->',
    '',
    'Send fields as `application/x-www-form-urlencoded`, `multipart/form-data` or JSON. Replies are JSON. `GET /openapi.json` has the',
    'same description as OpenAPI 3.1. Replies and names of the original exercise never change. [OpenID provider](oidc.md) describes',
    'the endpoints below `/oauth`.',
    '',
    'A login sets the session cookie `session_id`, in public mode `__Host-session_id`; send it with each request. Some replies set',
    'a new one, so store the cookie of every reply.',
    '',
    'Each route has an access level:',
    '',
    '| access | who may call it |',
    '|---|---|',
    ...levels.map(([level, means]) => `| \`${level}\` | ${means} |`),
    '',
    'The cost of a request counts toward the [limits of the network](limits.md#limits), and a read toward the limit of the account.',
    'A rejected request is answered with a [problem](problems.md). Each route below lists the problems that follow from its access',
    'level, body and cost. Its own rules can answer with other problems, such as `token_invalid` for a wrong token. Every route can',
    `answer ${codes(commonProblems)}.`,
  ].join('\n');
}

function operationText(
  { method, access, cost, isCountedRead }: ListedRoute,
  path: string,
  { summary = '', parameters = [], requestBody, responses = {} }: Operation,
  condition: string | undefined,
): string {
  const body = requestBody?.content?.['application/json']?.schema;
  const fields = [
    ...parameters.map(({ in: place, name, required = false, schema, description }) =>
      fieldRow(
        `${name} (${place})`,
        { ...schema, ...(description !== undefined && { description }) },
        required,
      ),
    ),
    ...Object.entries(body?.properties ?? {}).map(([name, schema]) =>
      fieldRow(name, schema, body?.required?.includes(name) === true),
    ),
  ];
  const replies = Object.entries(responses)
    .filter(([status]) => status !== 'default')
    .map(([status, { content }]) => replyLine(status, content?.['application/json']?.schema));
  const problems = [
    ...accessLevels.flatMap(([level, , missing]) => (level === access ? missing : [])),
    ...(body === undefined ? [] : bodyProblems),
    ...(cost > 0 ? limitedProblems : []),
    ...(isCountedRead ? (['too_many_requests'] as const) : []),
  ];
  return [
    `### \`${method} ${path}\``,
    `${sentence(summary)}${condition === undefined ? '' : ` ${condition}`}`,
    `Access: \`${access}\`. Cost: ${isCountedRead ? 'a read' : cost}.`,
    ...(fields.length === 0
      ? []
      : [['| field | required | type | description |', '|---|---|---|---|', ...fields].join('\n')]),
    ...(replies.length === 0 ? [] : [replies.join('\n')]),
    ...(problems.length === 0 ? [] : [`Problems: ${codes(problems)}.`]),
  ].join('\n\n');
}

function sentence(text: string): string {
  return text === '' || text.endsWith('.') ? text : `${text}.`;
}

function codes(names: readonly ProblemCode[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

function fieldRow(name: string, schema: Schema, isRequired: boolean): string {
  const { maxLength, description = '' } = schema;
  const limit = maxLength === undefined ? '' : `, at most ${maxLength} characters`;
  return `| \`${name}\` | ${isRequired ? 'yes' : 'no'} | ${inCell(`${typeText(schema)}${limit}`)} | ${inCell(description)} |`;
}

function replyLine(status: string, schema: Schema | undefined): string {
  return `- **${status}**${schema === undefined ? '' : ` \`${typeText(schema)}\``}`;
}

/** A schema as a type: `{ email: string, name?: string }`. */
function typeText(schema: Schema): string {
  const { type = 'any', properties, required = [], items, anyOf } = schema;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeText))].join(' | ');
  if (type === 'array')
    return items === undefined ? 'array' : `(${typeText(items)})[]`.replace(/^\((\w+)\)/, '$1');
  if (properties === undefined) return type;
  const fields = Object.entries(properties).map(
    ([name, value]) => `${name}${required.includes(name) ? '' : '?'}: ${typeText(value)}`,
  );
  return `{ ${fields.join(', ')} }`;
}

function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

/** What answers browsers with HTML; no description of fields, because their forms are not an interface. */
function pageTable(routes: readonly ListedRoute[]): string {
  const pages = routes.filter(({ method, isPage }) => isPage && method !== 'HEAD');
  const byUrl = new Map<string, ListedRoute[]>();
  for (const page of pages) byUrl.set(page.url, [...(byUrl.get(page.url) ?? []), page]);
  const rows = [...byUrl]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([url, same]) => {
      const methods = same.map(({ method }) => method).toSorted();
      return `| \`${url}\` | ${methods.join(', ')} | \`${same[0]?.access ?? ''}\` |`;
    });
  return [
    '## Pages',
    '',
    'These routes answer browsers with HTML. Link to them; their forms are not an interface for programs.',
    '',
    '| path | methods | access |',
    '|---|---|---|',
    ...rows,
  ].join('\n');
}

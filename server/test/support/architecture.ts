// The import rules of the sources and their limits of size. Every rule counts its breaches by subject; the recorded
// ceilings (architecture-ceilings.json) say which existed when the rule was made.
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Counts, Findings } from './ceilings.ts';
import { functionsOf, importsOf, onlyParts, splitSource, type SourceImport } from './source-text.ts';

/** Paths are relative to server/src. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Folders and files of server/src, from the lowest level to the highest. Each feature is a module on `features`. */
const levels: readonly (readonly string[])[] = [
  ['kit'],
  ['brand'],
  ['config', 'db', 'hash'],
  ['user', 'audit', 'mail', 'jobs', 'http', 'outgoing'],
  ['keys'],
  ['page', 'operation'],
  ['identity'],
  ['module.ts'],
  ['features'],
  ['app'],
  ['library'],
  ['cli', 'index.ts'],
  ['main.ts'],
];

/** Folders that consist of several modules, with their levels; '' stands for the files directly in the folder. */
const partLevels: Readonly<Record<string, readonly (readonly string[])[]>> = {
  // Small things that know nothing of the service; two folders of them on one subject each.
  kit: [['postgres', 'text'], ['']],
  // What both engines share, each engine, and the choice between them.
  db: [[''], ['postgres', 'sqlite'], ['open-database.ts']],
  // From what each request reads and each reply has, up to the server that connects them.
  http: [['cookie'], [''], ['origin', 'reply'], ['limit'], ['server']],
  identity: [
    [''],
    ['attempt'],
    ['factor'],
    ['registration', 'session', 'token'],
    ['account', 'details', 'sign-in'],
    ['step-up'],
    ['password'],
    ['enrollment'],
    ['attempts-reset.ts', 'personal-data.ts', 'sign-in-facts.ts', 'options.ts'],
    ['explain-sign-in.ts', 'identity.ts'],
    ['sign-in-check.ts'],
  ],
  // The largest feature: two WebAuthn ceremonies, each with JSON routes and pages, and three purposes of a passkey.
  'features/passkey': [[''], ['enrollment', 'sign-in'], ['module.ts']],
  // The OpenID provider: what is registered, what was issued, requests and replies, and the engine with its pages above them.
  'features/oidc': [
    ['client'],
    ['grant'],
    ['registry'],
    ['session', 'logout'],
    ['token'],
    ['wire'],
    ['engine'],
    ['interaction', 'end-session'],
    ['device', 'application'],
    ['declaration.ts'],
    ['module.ts'],
  ],
  // The service's own routes, and what mounts them with those of the modules.
  app: [['route'], ['']],
  // What every command receives and prints, the commands, and the program that lists them.
  cli: [['context.ts', 'output.ts'], ['command'], ['']],
};

/** Packages, and the files that may use them. */
const packages = {
  kysely: /(?:^|\/|-)store\.ts$|(?:^|\/)schema\.ts$|^db\//,
  fastify: /(?:^|\/|-)(?:routes|pages|guard|cookies|module|plugin)\.ts$|^(?:app|http|page)\//,
} as const;

const limits = {
  level: 0,
  'unplaced file': 0,
  'module registration': 0,
  core: 0,
  library: 0,
  kysely: 0,
  fastify: 0,
  environment: 0,
  /** A definition under the name of another module. */
  definition: 0,
  /** A problem code that is declared on a higher level or by another feature. */
  'problem code': 0,
  /** A message of another module. */
  message: 0,
  'default export': 0,
  'file without a noun': 0,
  /** Modules that query a table. */
  table: 1,
  /** Files outside of its folder that name a feature. */
  'feature named outside': 0,
  'files in circles': 0,
  /** Without the files of one role that most modules have (`roleFiles`): they are short and found by their name. */
  'files of a module': 12,
  'lines of a module': 1500,
  'imports of a file': 16,
  'import chain': 16,
  'lines of a file': 300,
  'lines of a function': 80,
} as const;

/** Declarations that most modules have, one file per role. */
const roleFiles = /\/(?:event|migrations|module|options|problem|schema)\.ts$/;

type Rule = keyof typeof limits;

/** Reads the sources of a checkout, without tests and generated files. */
export function readSources(root: string): SourceFile[] {
  const folder = join(root, 'server/src');
  return globSync('**/*.ts', { cwd: folder, exclude: ['**/*.test.ts', '**/test/**', '**/*.generated.ts'] })
    .toSorted()
    .map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(folder, path), 'utf8') }));
}

/** Reads the English messages that modules bring along, as JSON. */
export function readCatalogs(root: string): SourceFile[] {
  const folder = join(root, 'server/src');
  return globSync('**/messages/en.json', { cwd: folder })
    .toSorted()
    .map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(folder, path), 'utf8') }));
}

/** `kit`, `identity/token`, `features/totp`, or a file at the top. */
export function moduleOf(path: string): string {
  const [first = '', second = '', third] = path.split('/');
  if (first === 'features') {
    const parts = partLevels[`${first}/${second}`];
    return parts === undefined ? `${first}/${second}` : partOf(`${first}/${second}`, parts, third ?? '');
  }
  const parts = partLevels[first];
  return parts === undefined ? first : partOf(first, parts, second);
}

function partOf(folder: string, parts: readonly (readonly string[])[], name: string): string {
  const isDirect = name.endsWith('.ts') && !parts.flat().includes(name);
  return isDirect ? folder : `${folder}/${name}`;
}

/** Levels of a module: that of its folder, and that inside of its folder. -1 for one that is not listed. */
function levelOf(module: string): readonly [number, number] {
  const [first = ''] = module.split('/');
  const top = levels.findIndex((names) => names.includes(first));
  const folder = Object.keys(partLevels).find((one) => module === one || module.startsWith(`${one}/`));
  if (folder === undefined) return [top, 0];
  const name = module.slice(folder.length + 1);
  const part = (partLevels[folder] ?? []).findIndex((names) => names.includes(name));
  return [part === -1 ? -1 : top, part];
}

/** Whether a module lies below another; features are never below each other. */
function isBelow(lower: string, upper: string): boolean {
  const [[lowTop, lowPart], [upTop, upPart]] = [levelOf(lower), levelOf(upper)];
  if (lowTop !== upTop) return lowTop < upTop;
  return lower.split('/')[0] !== 'features' || sharesFeature(lower, upper) ? lowPart < upPart : false;
}

function sharesFeature(one: string, other: string): boolean {
  return one.split('/')[1] === other.split('/')[1];
}

function isModuleFile(path: string): boolean {
  return posix.basename(path) === 'module.ts';
}

function isOnTop(path: string): boolean {
  return /^(?:app|cli|library)\//.test(path) || path === 'index.ts' || path === 'main.ts';
}

interface Breach {
  readonly rule: Rule;
  readonly subject: string;
}

/** Breaches of the import rules by one file, one for each import. */
function importBreaches({ path, text }: SourceFile): Breach[] {
  const code = onlyParts(text, 'code');
  const imports = importsOf(text);
  return [
    ...(levelOf(moduleOf(path))[0] < 0 ? [{ rule: 'unplaced file', subject: path } as const] : []),
    ...imports.flatMap((one) => (one.target.startsWith('.') ? sourceBreaches(path, one) : [])),
    ...Object.entries(packages).flatMap(([name, allowed]) =>
      imports.some(({ target }) => target.startsWith(name) || target.startsWith(`@${name}/`)) &&
      !allowed.test(path)
        ? [{ rule: name as keyof typeof packages, subject: path }] // the keys of `packages`
        : [],
    ),
    ...(readsEnvironment(code, imports) && !/^main\.ts$|^cli\//.test(path)
      ? [{ rule: 'environment', subject: path } as const]
      : []),
    ...(/^export default\b|\bas default\b/m.test(code)
      ? [{ rule: 'default export', subject: path } as const]
      : []),
    ...(/(?:^|\/)(?:utils?|helpers?|common|types)(?:\/|\.ts$)/.test(path)
      ? [{ rule: 'file without a noun', subject: path } as const]
      : []),
  ];
}

function readsEnvironment(code: string, imports: readonly SourceImport[]): boolean {
  const isImported = imports.some(({ target, names }) => target === 'node:process' && names.includes('env'));
  return isImported || /\bprocess\.env\b|\bprocess\[/.test(code);
}

function sourceBreaches(path: string, { target, names }: SourceImport): Breach[] {
  const [own, other] = [moduleOf(path), posix.join(posix.dirname(path), target)];
  const theirs = moduleOf(other);
  const breaches: Breach[] = [];
  const isDeclared = other === 'app/core.ts' || other === 'module.ts';
  const isCore = isDeclared && names.some((name) => name === 'Core' || name === 'IdentityCore');
  const maySeeCore =
    isOnTop(path) ||
    (isModuleFile(path) && (path.startsWith('identity/') || !names.includes('IdentityCore')));
  const mayRegister = isModuleFile(path) || path.startsWith('app/') || isCore;
  if (isCore && !maySeeCore) breaches.push({ rule: 'core', subject: path });
  else if (other === 'module.ts' && !mayRegister)
    breaches.push({ rule: 'module registration', subject: path });
  else if (isModuleFile(other) && other !== 'module.ts' && path !== 'app/modules.ts')
    breaches.push({ rule: 'module registration', subject: `${path} -> ${other}` });
  else if (theirs === 'library' && own !== 'library' && path !== 'index.ts')
    breaches.push({ rule: 'library', subject: path });
  else if (theirs !== own && !isBelow(theirs, own)) {
    const isRegistration = isModuleFile(path) && (other === 'module.ts' || isCore);
    if (!isRegistration) breaches.push({ rule: 'level', subject: `${path} -> ${theirs}` });
  }
  return breaches;
}

/** `defineEvents('totp', {` and the like: the name, and the text up to the end of the table. */
const definition = /\bdefine(?<what>Events|Problems)\(\s*'(?<name>[\w-]+)'(?:, \{\n(?<rows>.*?)^\})?/gms;

/** Definitions whose name is not that of the folder in which they are. */
function definitionBreaches(files: readonly SourceFile[]): Breach[] {
  return files.flatMap(({ path, text }) =>
    [...onlyParts(text, 'code', 'string').matchAll(definition)]
      .filter(({ groups }) => groups?.['name'] !== moduleOf(path).split('/').at(-1))
      .map(() => ({ rule: 'definition', subject: path }) as const),
  );
}

/** Uses of problem codes that neither the own module nor one below declares. */
function problemBreaches(files: readonly SourceFile[]): Breach[] {
  const ownerOf = new Map<string, string>();
  for (const { path, text } of files) {
    for (const { groups } of onlyParts(text, 'code', 'string').matchAll(definition)) {
      if (groups?.['what'] !== 'Problems') continue;
      for (const [, code = ''] of (groups['rows'] ?? '').matchAll(/^ {2}(\w+):/gm))
        ownerOf.set(code, moduleOf(path));
    }
  }
  const use = /\b(?:new Problem\(|isProblem\(\w+,)\s*'(?<code>\w+)'/g;
  return files.flatMap(({ path, text }) =>
    [...onlyParts(text, 'code', 'string').matchAll(use)].flatMap(({ groups }) => {
      const owner = ownerOf.get(groups?.['code'] ?? '');
      const isOwn = owner === undefined || owner === moduleOf(path) || isBelow(owner, moduleOf(path));
      return isOwn ? [] : [{ rule: 'problem code', subject: `${path} -> ${owner}` } as const];
    }),
  );
}

/** Uses of messages that another module brings along. */
function messageBreaches(files: readonly SourceFile[], catalogs: readonly SourceFile[]): Breach[] {
  const owners = new Map(
    catalogs.flatMap(({ path, text }) =>
      Object.keys(JSON.parse(text) as object) // our own file
        .map((key) => [key, messageOwnerOf(path)] as const),
    ),
  );
  return files.flatMap(({ path, text }) =>
    splitSource(text).flatMap(({ kind, text: written }) => {
      const owner = kind === 'string' ? owners.get(written.slice(1, -1)) : undefined;
      return owner === undefined || owner === messageOwnerOf(path)
        ? []
        : [{ rule: 'message', subject: `${path} -> ${owner}` } as const];
    }),
  );
}

/** The module whose messages a file uses: a feature brings the messages of all its parts along. */
function messageOwnerOf(path: string): string {
  return featureOf(path) ?? moduleOf(path);
}

/** `features/passkey` for every file in that folder; `undefined` for a file outside of the features. */
function featureOf(path: string): string | undefined {
  const [first, second] = path.split('/');
  return first === 'features' ? `${first}/${second}` : undefined;
}

/** All rules over all files, and over the messages of modules. */
export function architectureFindings(
  files: readonly SourceFile[],
  catalogs: readonly SourceFile[] = [],
): Findings {
  const breaches = [
    ...files.flatMap(importBreaches),
    ...definitionBreaches(files),
    ...problemBreaches(files),
    ...messageBreaches(files, catalogs),
  ];
  const counts: Partial<Record<Rule, Counts>> = {
    table: tableUsers(files),
    'feature named outside': featureNames(files),
    'files in circles': { 'all sources': filesInCircles(files).length },
    'files of a module': sum(
      files.filter(({ path }) => !roleFiles.test(path)).map(({ path }) => [moduleOf(path), 1]),
    ),
    'lines of a module': sum(files.map(({ path, text }) => [moduleOf(path), lineCount(text)])),
    'imports of a file': Object.fromEntries(
      files
        .filter(({ path }) => path !== 'app/core.ts' && path !== 'app/modules.ts')
        .map(({ path, text }) => [path, new Set(importsOf(text).map(({ target }) => target)).size]),
    ),
    'import chain': { 'all sources': longestChain(files).length },
    'lines of a file': Object.fromEntries(files.map(({ path, text }) => [path, lineCount(text)])),
    'lines of a function': functionLines(files),
  };
  return Object.fromEntries(
    Object.entries(limits).map(([rule, limit]) => [
      rule,
      {
        limit,
        counts:
          counts[rule as Rule] ?? // the keys of `limits`
          sum(breaches.filter((one) => one.rule === rule).map(({ subject }) => [subject, 1])),
      },
    ]),
  );
}

function sum(entries: readonly (readonly [string, number])[]): Counts {
  const counts: Record<string, number> = {};
  for (const [subject, count] of entries) counts[subject] = (counts[subject] ?? 0) + count;
  return counts;
}

export function lineCount(text: string): number {
  return text.split('\n').length - 1;
}

function functionLines(files: readonly SourceFile[]): Counts {
  const counts: Record<string, number> = {};
  for (const { path, text } of files) {
    for (const { name, lines } of functionsOf(text))
      counts[`${path} ${name}`] = Math.max(lines, counts[`${path} ${name}`] ?? 0);
  }
  return counts;
}

const query = /\b(?:selectFrom|insertInto|updateTable|deleteFrom|\w*[jJ]oin)\(\s*'(?<table>\w+)/g;

/** Counts the modules that query each table: its owner and any others. */
function tableUsers(files: readonly SourceFile[]): Counts {
  const users = new Map<string, Set<string>>();
  for (const { path, text } of files) {
    for (const { groups } of onlyParts(text, 'code', 'string').matchAll(query)) {
      const table = groups?.['table'] ?? '';
      users.set(table, (users.get(table) ?? new Set()).add(moduleOf(path)));
    }
  }
  return Object.fromEntries([...users].map(([table, modules]) => [table, modules.size]));
}

/**
 * Counts the files outside of its folder that name each feature, in any spelling, except in comments and the list of
 * modules.
 */
function featureNames(files: readonly SourceFile[]): Counts {
  const features = [...new Set(files.map(({ path }) => featureOf(path)))].filter((one) => one !== undefined);
  return Object.fromEntries(
    features.map((feature) => [feature, filesThatName(files, feature.split('/')[1] ?? '').length]),
  );
}

/** Files outside of its folder that name a feature. */
export function filesThatName(files: readonly SourceFile[], feature: string): string[] {
  const name = new RegExp(feature.replaceAll('-', '[-_ ]?'), 'i');
  return files
    .filter(({ path }) => !path.startsWith(`features/${feature}/`) && path !== 'app/modules.ts')
    .filter(({ text }) => name.test(onlyParts(text, 'code', 'string', 'regex')))
    .map(({ path }) => path);
}

type Graph = ReadonlyMap<string, readonly string[]>;

function graphOf(files: readonly SourceFile[]): Graph {
  const paths = new Set(files.map(({ path }) => path));
  return new Map(
    files.map(({ path, text }) => [
      path,
      importsOf(text)
        .map(({ target }) => posix.join(posix.dirname(path), target))
        .filter((other) => paths.has(other)),
    ]),
  );
}

/** Groups of files that import each other, directly or not (Tarjan); a file outside of a circle is a group of one. */
function circlesOf(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): number => {
    const own = order.size;
    order.set(file, own);
    low.set(file, own);
    open.push(file);
    for (const next of graph.get(file) ?? []) {
      const reached = order.has(next) ? (low.get(next) ?? own) : visit(next);
      if (open.includes(next)) low.set(file, Math.min(low.get(file) ?? own, reached));
    }
    if (low.get(file) === own) circles.push(open.splice(open.indexOf(file)));
    return low.get(file) ?? own;
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return circles;
}

/** Files that import themselves through others, imports of types included. */
export function filesInCircles(files: readonly SourceFile[]): string[] {
  return circlesOf(graphOf(files))
    .filter((circle) => circle.length > 1)
    .flat();
}

/** The longest chain of files in which each imports the next. Files in a circle count as one: circles have their own rule. */
export function longestChain(files: readonly SourceFile[]): string[] {
  const graph = graphOf(files);
  const circles = circlesOf(graph);
  const circleOf = new Map(circles.flatMap((circle) => circle.map((file) => [file, circle] as const)));
  const chains = new Map<readonly string[], string[]>();
  // A circle is listed after everything that it imports, so those chains are known.
  for (const circle of circles) {
    const next = circle
      .flatMap((file) => graph.get(file) ?? [])
      .map((file) => chains.get(circleOf.get(file) ?? []) ?? []);
    chains.set(circle, [circle.toSorted().join(', '), ...longestOf(next)]);
  }
  return longestOf([...chains.values()]);
}

function longestOf(chains: readonly string[][]): string[] {
  return chains.reduce((best, chain) => (chain.length > best.length ? chain : best), []);
}

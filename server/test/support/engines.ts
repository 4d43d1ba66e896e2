// Both engines for a test: a new SQLite file, and a new database in the PostgreSQL server of the run.
import pg from 'pg';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, type SuiteContext } from 'node:test';
import type { Database } from '../../src/db/database.ts';
import { migratedModules } from '../../src/app/migrations.ts';
import { openDatabase, sqlitePath } from '../../src/db/open-database.ts';
import { patientTimes } from './database-times.ts';
import type { FeatureTitle } from './feature.ts';

export type EngineName = 'sqlite' | 'postgres';
const everyEngine: readonly EngineName[] = ['sqlite', 'postgres'];

/** The engines of this run: all, or those that TEST_ENGINES names, which is then logged. */
export const engineNames: readonly EngineName[] = chosenEngines();

function chosenEngines(): readonly EngineName[] {
  const chosen = process.env['TEST_ENGINES']?.split(',');
  if (chosen === undefined) return everyEngine;
  const left = everyEngine.filter((name) => !chosen.includes(name));
  if (left.length === everyEngine.length) throw new Error('TEST_ENGINES names none of the engines');
  process.stderr.write(`Left out by TEST_ENGINES: ${left.join(', ') || 'nothing'}\n`);
  return everyEngine.filter((name) => chosen.includes(name));
}

/** A database for one test alone, with a function that removes it. */
export interface FreshDatabase {
  readonly url: string;
  readonly drop: () => Promise<void>;
}

/** Creates a database without rows on the engine; the test migrates it first, as every start does. */
export function freshDatabase(engine: EngineName): Promise<FreshDatabase> {
  // Copying a migrated database takes less time than migrating a new one.
  const template = process.env[templateNames[engine]];
  return engine === 'sqlite' ? sqliteFile(template) : postgresDatabase(template);
}

/** Variables with the migrated databases of the run: the path of a file, and a name in the PostgreSQL server. */
const templateNames = { sqlite: 'TEST_TEMPLATE_FILE', postgres: 'TEST_TEMPLATE' } as const;

async function sqliteFile(template?: string): Promise<FreshDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'bienvenue-sqlite-'));
  const path = join(folder, 'test.db');
  if (template !== undefined) await copyFile(template, path);
  return { url: `sqlite:${path}`, drop: () => rm(folder, { recursive: true, force: true }) };
}

async function postgresDatabase(template?: string): Promise<FreshDatabase> {
  const server = process.env['TEST_DATABASE_URL'];
  if (server === undefined)
    throw new Error('TEST_DATABASE_URL is unset: run the tests by npm test, which starts PostgreSQL');
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  await onServer(
    server,
    `create database ${name}${template === undefined ? '' : ` template ${template}`} strategy file_copy`,
  );
  return { url: url.href, drop: () => onServer(server, `drop database if exists ${name} with (force)`) };
}

/** Creates the migrated databases that the others of the run are copied from. */
export async function makeTemplates(): Promise<Pick<FreshDatabase, 'drop'>> {
  const templates: FreshDatabase[] = [];
  for (const engine of everyEngine) {
    const template = await freshDatabase(engine);
    templates.push(template);
    await (await openDatabase(template.url, migratedModules)).close();
    const { url } = template;
    process.env[templateNames[engine]] =
      engine === 'sqlite' ? sqlitePath(url) : new URL(url).pathname.slice(1);
  }
  return { drop: async () => void (await Promise.all(templates.map((template) => template.drop()))) };
}

let administration: pg.Pool | undefined;

/**
 * Runs a statement on the server, on one connection for the whole test process: for each connection the server starts a
 * process, which takes longer than creating a database.
 */
async function onServer(url: string, text: string): Promise<void> {
  administration ??= new pg.Pool({
    connectionString: url,
    max: 1,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
  }).on(
    'error',
    () => {}, // the server ends before this process does
  );
  await administration.query(text);
}

/** Declares a suite for each engine; `needs(title, …)` instead of the title names features that it needs. */
export function onEachEngine(
  title: string | FeatureTitle,
  body: (engine: EngineName, context: SuiteContext) => void,
): void {
  const { text, skip } = typeof title === 'string' ? { text: title, skip: false } : title;
  for (const engine of engineNames)
    describe(`${text} (${engine})`, { skip }, (context) => body(engine, context));
}

async function lend<T>(made: FreshDatabase, work: (url: string) => Promise<T>): Promise<T> {
  try {
    return await work(made.url);
  } finally {
    await made.drop();
  }
}

/** Runs the work with the URL of an empty database that is not migrated. */
export async function withEmptyDatabase<T>(
  engine: EngineName,
  work: (url: string) => Promise<T>,
): Promise<T> {
  return lend(await (engine === 'sqlite' ? sqliteFile() : postgresDatabase()), work);
}

/**
 * Opens a database, migrated first, that waits for longer than the service does. Tests of the limits call `openDatabase`.
 */
export function openPatiently(url: string): Promise<Database> {
  return openDatabase(url, migratedModules, { times: patientTimes });
}

/** Runs the work on a new, migrated database. */
export async function withDatabase<T>(
  engine: EngineName,
  work: (database: Database, url: string) => Promise<T>,
): Promise<T> {
  return lend(await freshDatabase(engine), async (url) => {
    const database = await openPatiently(url);
    try {
      return await work(database, url);
    } finally {
      await database.close();
    }
  });
}

/** A database and its URL. */
export interface OpenDatabase {
  readonly database: Database;
  readonly url: string;
}

/** One database for all tests of a suite, emptied before each of them. Creating one takes longer than most tests. */
export function useDatabase(engine: EngineName): () => OpenDatabase {
  let fresh: FreshDatabase | undefined;
  let database: Database | undefined;
  before(async () => {
    fresh = await freshDatabase(engine);
    database = await openPatiently(fresh.url);
  });
  beforeEach(async () => {
    for (const table of ['users', 'attempts', 'audit_events'])
      await database?.execute(`delete from ${table}`); // the other rows are removed by cascade
  });
  after(async () => {
    await database?.close();
    await fresh?.drop();
  });
  return () => {
    if (fresh === undefined || database === undefined)
      throw new Error('The database exists once the suite runs');
    return { database, url: fresh.url };
  };
}

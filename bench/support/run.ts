// Shared by the parts of a run: its folder, its databases, the duration of measurements, and progress messages.
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillDatabase } from './accounts.ts';
import { makeControlGroups, type ControlGroups } from './control-groups.ts';
import { findCores, type Cores } from './cores.ts';
import { killPrograms } from './program.ts';
import { startPostgres, type Postgres } from './postgres.ts';

export type EngineName = 'sqlite' | 'postgres';

export interface RunOptions {
  /** A few seconds for each part: shows that the programs work, without meaningful figures. */
  readonly quick: boolean;
  /** PostgreSQL server to use instead of a new one. */
  readonly databaseUrl: string | undefined;
}

/** Attempts to remove a folder in which programs are just ending. */
const removeAttempts = 20;

export class Run {
  readonly quick: boolean;
  readonly folder: string;
  readonly cores: Cores | undefined;
  readonly #databaseUrl: string | undefined;
  readonly #databases = new Map<string, Promise<string>>();
  #postgres: Promise<Postgres> | undefined;
  #groups: ControlGroups | { readonly skipped: string } | undefined;
  #files = 0;

  private constructor(folder: string, { quick, databaseUrl }: RunOptions) {
    this.folder = folder;
    this.quick = quick;
    this.cores = findCores();
    this.#databaseUrl = databaseUrl;
  }

  static async begin(options: RunOptions): Promise<Run> {
    return new Run(await mkdtemp(join(tmpdir(), 'bienvenue-bench-')), options);
  }

  /** Prints progress to standard error, so that standard output has the table alone. */
  say(text: string): void {
    process.stderr.write(`${new Date().toTimeString().slice(0, 8)}  ${text}\n`);
  }

  /** The first value in a full run, the second in a quick one. */
  choose<T>(full: T, quick: T): T {
    return this.quick ? quick : full;
  }

  /** A path in the run's folder that no other program of the run uses. */
  file(name: string): string {
    this.#files += 1;
    return join(this.folder, `${this.#files}-${name}`);
  }

  postgres(): Promise<Postgres> {
    this.#postgres ??= this.#startPostgres();
    return this.#postgres;
  }

  /** Gives PostgreSQL the cores next to a pinned server, or all of them next to one that runs on all. */
  async placePostgres(isPinned: boolean): Promise<void> {
    const cores = isPinned ? this.cores?.others : this.cores?.all;
    if (cores !== undefined) (await this.#postgres)?.useCores(cores);
  }

  /**
   * Measures while a service and PostgreSQL are in a control group each, as in containers.
   * Returns the reason if that is not possible here.
   */
  async inControlGroups<T>(
    service: number,
    measure: () => Promise<T>,
  ): Promise<T | { readonly skipped: string }> {
    const groups = (this.#groups ??= makeControlGroups());
    if ('skipped' in groups) return groups;
    const postgres = (await this.#postgres)?.pid;
    groups.move(service, 'service');
    if (postgres !== undefined) groups.move(postgres, 'postgres');
    try {
      return await measure();
    } finally {
      groups.move(service, 'root');
      if (postgres !== undefined) groups.move(postgres, 'root');
    }
  }

  /** A database of the service with this many users and sessions, created at first use. */
  database(engine: EngineName, accounts: number): Promise<string> {
    const key = `${engine}-${accounts}`;
    let url = this.#databases.get(key);
    if (url === undefined) this.#databases.set(key, (url = this.#fill(engine, accounts)));
    return url;
  }

  /** An empty database. */
  async emptyDatabase(engine: EngineName): Promise<string> {
    return engine === 'sqlite'
      ? `sqlite:${this.file('empty.db')}`
      : (await this.postgres()).createDatabase('empty');
  }

  /** Ends what the run has started and removes what it has written. */
  async end(): Promise<void> {
    killPrograms();
    const postgres = await this.#postgres?.catch(() => undefined);
    await postgres?.stop();
    if (this.#groups !== undefined && 'remove' in this.#groups) this.#groups.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Synchronous cleanup if the process ends before `end` has run: a library ends it at a signal. */
  abandon(): void {
    killPrograms();
    for (let attempt = 1; existsSync(this.folder) && attempt <= removeAttempts; attempt += 1) {
      try {
        rmSync(this.folder, { recursive: true, force: true });
      } catch {
        // Another process that is ending still removes or writes files in the folder.
      }
    }
  }

  async #startPostgres(): Promise<Postgres> {
    this.say('starting PostgreSQL');
    return startPostgres(this.folder, this.#databaseUrl);
  }

  async #fill(engine: EngineName, accounts: number): Promise<string> {
    const name = `accounts_${accounts}`;
    const url =
      engine === 'sqlite'
        ? `sqlite:${this.file(`${name}.db`)}`
        : await (await this.postgres()).createDatabase(name);
    this.say(`filling a database: ${engine}, ${accounts.toLocaleString('en')} users and sessions`);
    await fillDatabase(url, accounts);
    return url;
  }
}

import type { Database, DefaultTables, Lookup, QueryBuilder, Statement } from '../../src/db/database.ts';

/**
 * A database that forwards everything and measures how long each action held the writer: a single statement, or a
 * transaction.
 */
export class Stopwatch implements Database {
  readonly engine: Database['engine'];
  readonly #database: Database;
  #ms: number[] = [];

  constructor(database: Database) {
    this.engine = database.engine;
    this.#database = database;
  }

  /** Milliseconds measured since the last call. */
  takeMs(): number[] {
    return this.#ms.splice(0);
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#measure(() => this.#database.run(statement, parameters));
  }

  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#measure(() => this.#database.first(statement, parameters));
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#measure(() => this.#database.note(statement, parameters));
  }

  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return this.#database.find(lookup, key);
  }

  findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    return this.#database.findAll(lookup, key);
  }

  query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#measure(() => this.#database.query(build));
  }

  now(): Promise<number> {
    return this.#database.now();
  }

  execute(text: string): Promise<void> {
    return this.#measure(() => this.#database.execute(text));
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.#measure(() => this.#database.transaction(work));
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #measure<T>(action: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      return await action();
    } finally {
      this.#ms.push(performance.now() - begun);
    }
  }
}

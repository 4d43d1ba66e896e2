// A database that records its statements, for tests that compare what two requests run.
import type {
  Database,
  DefaultTables,
  Engine,
  Lookup,
  QueryBuilder,
  Statement,
} from '../../src/db/database.ts';
import { CompiledStatements, compileOnce, type Compiled } from '../../src/db/statement.ts';

/** A statement that was run. */
export interface Recorded {
  readonly compiled: Compiled;
  readonly parameters: object;
  /** Number of rows that were returned. */
  readonly rows: number;
}

/** A database that forwards everything to another one, and records the statements. */
export class Recorder implements Database {
  readonly engine: Engine;
  readonly recorded: Recorded[];
  readonly #database: Database;
  readonly #compiled: CompiledStatements;

  constructor(database: Database, recorded: Recorded[] = []) {
    this.engine = database.engine;
    this.recorded = recorded;
    this.#database = database;
    this.#compiled = new CompiledStatements(database.engine);
  }

  async run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    const rows = await this.#database.run(statement, parameters);
    this.recorded.push({ compiled: this.#compiled.of(statement), parameters, rows: rows.length });
    return rows;
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    const row = await this.#database.first(statement, parameters);
    this.recorded.push({
      compiled: this.#compiled.of(statement),
      parameters,
      rows: row === undefined ? 0 : 1,
    });
    return row;
  }

  async note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    const row = await this.#database.note(statement, parameters);
    this.recorded.push({
      compiled: this.#compiled.of(statement),
      parameters,
      rows: row === undefined ? 0 : 1,
    });
    return row;
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return (await this.findAll(lookup, key))[0];
  }

  async findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    const rows = await this.#database.findAll(lookup, key);
    const parameters = { key: this.engine.gathersLookups ? [key] : key };
    this.recorded.push({ compiled: this.#compiled.ofLookup(lookup), parameters, rows: rows.length });
    return rows;
  }

  async query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    const rows = await this.#database.query(build);
    this.recorded.push({ compiled: compileOnce(this.engine, build), parameters: {}, rows: rows.length });
    return rows;
  }

  now(): Promise<number> {
    return this.#database.now();
  }

  execute(text: string): Promise<void> {
    return this.#database.execute(text);
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.#database.transaction((transaction) => work(new Recorder(transaction, this.recorded)));
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

// A database that logs what a request costs it: the text of each statement, where transactions begin and end, and which
// commits changed something. Only these wait for the disk.
import { sql as rawSql } from 'kysely';
import type {
  Database,
  DefaultTables,
  Engine,
  Lookup,
  QueryBuilder,
  Sql,
  Statement,
} from '../../src/db/database.ts';
import { CompiledStatements, compileOnce, type Compiled } from '../../src/db/statement.ts';

/** A database that forwards everything to another one and logs it. */
export class WorkLog implements Database {
  readonly engine: Engine;
  readonly #database: Database;
  readonly #compiled: CompiledStatements;
  readonly #lines: string[];
  readonly #isTransaction: boolean;

  constructor(database: Database, lines: string[], isTransaction = false) {
    this.engine = database.engine;
    this.#database = database;
    this.#compiled = new CompiledStatements(database.engine);
    this.#lines = lines;
    this.#isTransaction = isTransaction;
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#log(this.#compiled.of(statement), (db) => db.run(statement, parameters));
  }

  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#log(this.#compiled.of(statement), (db) => db.first(statement, parameters));
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    this.#lines.push('note');
    return this.#log(this.#compiled.of(statement), (db) => db.note(statement, parameters));
  }

  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return this.#log(this.#compiled.ofLookup(lookup), (db) => db.find(lookup, key));
  }

  findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    return this.#log(this.#compiled.ofLookup(lookup), (db) => db.findAll(lookup, key));
  }

  query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#log(compileOnce(this.engine, build), (db) => db.query(build));
  }

  now(): Promise<number> {
    return this.#database.now();
  }

  execute(text: string): Promise<void> {
    this.#lines.push(text);
    return this.#database.execute(text);
  }

  async transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    if (this.#isTransaction) return work(this);
    let changed = '';
    this.#lines.push('begin');
    try {
      const result = await this.#database.transaction(async (tx) => {
        const hasChanged = await watchChanges(tx);
        const done = await work(new WorkLog(tx, this.#lines, true));
        changed = (await hasChanged()) ? 'changes' : 'no changes';
        return done;
      });
      this.#lines.push(`commit: ${changed}`);
      return result;
    } catch (error) {
      this.#lines.push('rollback');
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** A change outside of a transaction is logged, and run, as a transaction of one statement. */
  #log<T>(compiled: Compiled, run: (db: Database) => Promise<T>): Promise<T> {
    if (this.#isTransaction || compiled.isRead) {
      this.#lines.push(compiled.text);
      return run(this.#database);
    }
    return this.transaction(async (tx) => {
      this.#lines.push(compiled.text);
      return run((tx as WorkLog).#database);
    });
  }
}

/** Begins to watch a transaction; the function returns whether it has changed a row since, or locked one. */
async function watchChanges(tx: Database): Promise<() => Promise<boolean>> {
  // PostgreSQL gives an id only to a transaction that writes.
  const count =
    tx.engine.name === 'sqlite'
      ? rawSql<number>`total_changes()`
      : rawSql<number>`pg_current_xact_id_if_assigned()`;
  const read = async (): Promise<unknown> => {
    const [row] = await tx.query((sql: Sql<object>) => sql.selectNoFrom(count.as('count')));
    return row?.count;
  };
  const before = await read();
  return async () => (await read()) !== before;
}

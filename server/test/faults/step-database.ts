// A database at whose n-th step something happens, such as the end of the process: before a statement, before a commit or
// after it. So each moment of a request at which a fault leaves something different behind is tried once.
import type {
  Database,
  DefaultTables,
  Engine,
  Lookup,
  QueryBuilder,
  Statement,
} from '../../src/db/database.ts';

export interface Countdown {
  /** Steps that are left; 0 lets nothing happen. */
  steps: number;
  /** What happens. It may throw. */
  readonly act: () => void | Promise<void>;
  /** A transaction is one step, at its beginning: what happens needs its locks. */
  readonly passesTransactions?: boolean;
}

async function step(countdown: Countdown): Promise<void> {
  if (countdown.steps === 0) return;
  countdown.steps -= 1;
  if (countdown.steps === 0) await countdown.act();
}

export class StepDatabase implements Database {
  readonly engine: Engine;
  readonly #database: Database;
  readonly #countdown: Countdown;

  constructor(database: Database, countdown: Countdown) {
    this.engine = database.engine;
    this.#database = database;
    this.#countdown = countdown;
  }

  async run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    await step(this.#countdown);
    return this.#database.run(statement, parameters);
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    await step(this.#countdown);
    return this.#database.first(statement, parameters);
  }

  async note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    await step(this.#countdown);
    return this.#database.note(statement, parameters);
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    await step(this.#countdown);
    return this.#database.find(lookup, key);
  }

  async findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    await step(this.#countdown);
    return this.#database.findAll(lookup, key);
  }

  async query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    await step(this.#countdown);
    return this.#database.query(build);
  }

  now(): Promise<number> {
    return this.#database.now();
  }

  execute(text: string): Promise<void> {
    return this.#database.execute(text);
  }

  async transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    if (this.#countdown.passesTransactions === true) {
      await step(this.#countdown);
      return this.#database.transaction(work);
    }
    const result = await this.#database.transaction(async (transaction) => {
      const done = await work(new StepDatabase(transaction, this.#countdown));
      await step(this.#countdown); // before the commit
      return done;
    });
    await step(this.#countdown); // after it
    return result;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

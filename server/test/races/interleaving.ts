// Two actions in parallel, in a chosen order of their steps: each stops before every statement until it is allowed to
// continue. What a real race meets once in a thousand rounds is met here with certainty (PostgreSQL's own isolation
// tests do the same).
import { setTimeout as pause } from 'node:timers/promises';
import type { Database, DefaultTables, Lookup, QueryBuilder, Statement } from '../../src/db/database.ts';

/** An action on a database. */
export type Action<T> = (db: Database) => Promise<T>;

/**
 * The order of two actions: the first runs this many steps, then the other this many, then the first runs to its end,
 * then the other.
 */
export interface Order {
  readonly first: number;
  readonly second: number;
}

/** How an action ended. */
export type Ending<T> = { readonly value: T } | { readonly error: unknown };

/** A statement that takes longer, in milliseconds, waits for a lock of the other action. */
const blockedMs = 20;

/** A running action, which waits at each step for `step()`. */
class Walk<T> {
  readonly ending: Promise<Ending<T>>;
  /** Steps that it was allowed to take. */
  steps = 0;
  isDone = false;
  #resume: (() => void) | undefined;
  /** True during a call of the database; false between two calls. */
  #isInCall = false;
  #changed = Promise.withResolvers<void>();

  constructor(action: Action<T>, database: Database) {
    this.ending = action(new Stepped(database, this))
      .then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      )
      .finally(() => {
        this.isDone = true;
        this.#signalChange();
      });
  }

  get isWaiting(): boolean {
    return this.#resume !== undefined;
  }

  /** Stops here until `step()`, then makes the call. */
  async stop<R>(call: () => Promise<R>): Promise<R> {
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      this.#signalChange();
    });
    this.#isInCall = true;
    try {
      return await call();
    } finally {
      this.#isInCall = false;
    }
  }

  /**
   * Lets it continue to its next step, and resolves when it waits there, has ended, or waits for a lock; false if it
   * could not continue.
   */
  async step(): Promise<boolean> {
    await this.arrive();
    if (this.isDone || !this.isWaiting) return false;
    const resume = this.#resume;
    this.#resume = undefined;
    this.steps += 1;
    this.#isInCall = true;
    resume?.();
    await this.arrive();
    return true;
  }

  /** Resolves when it waits at a step, has ended, or waits for a lock. */
  async arrive(): Promise<void> {
    for (let held = false; !held && !this.isWaiting && !this.isDone;) {
      const changed = this.#changed.promise.then(() => false);
      held = await Promise.race([changed, pause(blockedMs).then(() => this.#isInCall && !this.isWaiting)]);
    }
  }

  #signalChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Stops before each statement, and before the beginning and the end of a transaction. */
class Stepped implements Database {
  readonly engine: Database['engine'];
  readonly #database: Database;
  readonly #walk: Walk<unknown>;

  constructor(database: Database, walk: Walk<unknown>) {
    this.engine = database.engine;
    this.#database = database;
    this.#walk = walk;
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#walk.stop(() => this.#database.run(statement, parameters));
  }

  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#walk.stop(() => this.#database.first(statement, parameters));
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#walk.stop(() => this.#database.note(statement, parameters));
  }

  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return this.#walk.stop(() => this.#database.find(lookup, key));
  }

  findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    return this.#walk.stop(() => this.#database.findAll(lookup, key));
  }

  query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#walk.stop(() => this.#database.query(build));
  }

  now(): Promise<number> {
    return this.#database.now();
  }

  execute(text: string): Promise<void> {
    return this.#walk.stop(() => this.#database.execute(text));
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.#walk.stop(() =>
      this.#database.transaction(async (transaction) => {
        const result = await work(new Stepped(transaction, this.#walk));
        await this.#walk.stop(async () => {});
        return result;
      }),
    );
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** The result of one order: how each action ended, and how many steps it took. */
export interface Outcome<A, B> {
  readonly first: Ending<A>;
  readonly second: Ending<B>;
  readonly firstSteps: number;
  readonly secondSteps: number;
}

/**
 * Runs two actions in the given order of their steps. An action that waits for a lock is skipped until it gets the
 * lock.
 */
export async function inOrder<A, B>(
  database: Database,
  first: Action<A>,
  second: Action<B>,
  order: Order,
): Promise<Outcome<A, B>> {
  const a = new Walk(first, database);
  const b = new Walk(second, database);
  for (let i = 0; i < order.first && (await a.step()); i += 1);
  for (let i = 0; i < order.second && (await b.step()); i += 1);
  while (!a.isDone || !b.isDone) {
    if (!a.isDone) await a.step();
    // Only if the first one waits or has ended, so that it ends before the second one.
    if (!b.isDone && !a.isWaiting) await b.step();
  }
  return { first: await a.ending, second: await b.ending, firstSteps: a.steps, secondSteps: b.steps };
}

/** Every order in which one of the two is interrupted once, for actions with this many steps. */
export function ordersOf({ firstSteps, secondSteps }: { firstSteps: number; secondSteps: number }): Order[] {
  return Array.from({ length: firstSteps }, (_, i) =>
    Array.from({ length: secondSteps }, (_unused, j) => ({ first: i + 1, second: j + 1 })),
  ).flat();
}

/** Returns at most this number of items, at even distances, the first one included. */
export function spread<T>(items: readonly T[], most: number): T[] {
  const distance = Math.max(1, items.length / most);
  return items.filter((_, i) => Math.floor(i / distance) !== Math.floor((i - 1) / distance));
}

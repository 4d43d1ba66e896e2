// Declares and compiles statements. Kysely builds the SQL of a statement once; every run then uses a prepared statement
// of the driver. Building the query at each call would take 35 to 50 µs; a prepared statement takes 7.
import { sql as rawSql, type Compilable, type Expression, type SqlBool } from 'kysely';
import type { Engine, IsKey, Lookup, Sql, Statement } from './database.ts';

/** SQL text ready for the driver. */
export interface Compiled {
  /** Name of the prepared statement; empty for a query that runs once. */
  readonly name: string;
  readonly text: string;
  /** False for every statement but a select: it goes to the writer. */
  readonly isRead: boolean;
  /** True for a change that returns rows; `returning` is then the end of its text. */
  readonly isReturning: boolean;
  /** Returns the values in the order of the placeholders. */
  readonly bind: (parameters: object) => unknown[];
}

/** Represents the value of a parameter while Kysely builds the SQL. */
class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

const placeholders: unknown = new Proxy({}, { get: (_target, name) => new Placeholder(String(name)) });

let statements = 0;

function newName(): string {
  statements += 1;
  return `bienvenue_${statements}`;
}

/** Functions with which a store declares its statements; see `statementsFor`. */
export interface Statements<Tables> {
  /**
   * Declares a statement. Use parameters like values; they are bound by name at each run:
   * `statement((sql, p: { id: number }) => sql.selectFrom('users').select('email').where('id', '=', p.id))`.
   */
  readonly statement: <P extends object, R>(
    build: (sql: Sql<Tables>, parameters: P) => Compilable<R>,
  ) => Statement<P, R>;
  /** Declares a look-up. The query must return the key column as `lookup_key`. */
  readonly lookup: <R extends { lookup_key: string }>(
    build: (sql: Sql<Tables>, isKey: IsKey) => Compilable<R>,
  ) => Lookup<R>;
}

/** Returns functions that declare statements on the given tables. A store takes the table types from `schema.ts` files. */
export function statementsFor<Tables>(): Statements<Tables> {
  return {
    // The query builder is the same for all tables: their types exist at compile time only.
    statement: (build) => ({ name: newName(), build: (sql, p) => build(sqlFor<Tables>(sql), p) }),
    lookup: (build) => ({ name: newName(), build: (sql, isKey) => build(sqlFor<Tables>(sql), isKey) }),
  };
}

function sqlFor<Tables>(sql: Sql<object>): Sql<Tables> {
  return sql as unknown as Sql<Tables>; // Kysely is invariant in its tables, which exist at compile time only
}

function compile<R>(name: string, query: Compilable<R>): Compiled {
  const { sql: text, parameters, query: node } = query.compile();
  const names = parameters.map((value) => (value instanceof Placeholder ? value.name : undefined));
  return {
    name,
    text,
    isRead: node.kind === 'SelectQueryNode',
    isReturning: 'returning' in node && node.returning !== undefined,
    bind: (given) =>
      names.map((key, i) => (key === undefined ? parameters[i] : (given as Record<string, unknown>)[key])),
  };
}

/** Compiles a query for one call, for rare queries whose SQL depends on their input. */
export function compileOnce<R, Tables>(engine: Engine, build: (sql: Sql<Tables>) => Compilable<R>): Compiled {
  return compile('', build(sqlFor<Tables>(engine.sql)));
}

/** Compiles statements for one engine, each at its first use. */
export class CompiledStatements {
  readonly #engine: Engine;
  readonly #byName = new Map<string, Compiled>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  of<P extends object, R>({ name, build }: Statement<P, R>): Compiled {
    return this.#once(name, () => build(this.#engine.sql, placeholders as P)); // the proxy has a placeholder for every name of P
  }

  /** Compiles a look-up. Its parameter `key` is one key, or an array of keys on an engine that batches look-ups. */
  ofLookup<R extends { lookup_key: string }>({ name, build }: Lookup<R>): Compiled {
    const key = new Placeholder('key');
    const isKey = (column: string): Expression<SqlBool> =>
      this.#engine.gathersLookups
        ? rawSql<SqlBool>`${rawSql.ref(column)} = any(${key})`
        : rawSql<SqlBool>`${rawSql.ref(column)} = ${key}`;
    return this.#once(name, () => build(this.#engine.sql, isKey));
  }

  #once<R>(name: string, build: () => Compilable<R>): Compiled {
    let compiled = this.#byName.get(name);
    if (compiled === undefined) {
      compiled = compile(name, build());
      this.#byName.set(name, compiled);
    }
    return compiled;
  }
}

// Statements: SQL written once by Kysely, run ever after on the driver's own prepared statement. Going through the
// query builder at each call costs 35 to 50 µs; a prepared statement costs 7.
import { sql as rawSql, type Compilable, type Expression, type SqlBool } from 'kysely';
import type { Engine, Sql } from './engine.ts';

/** A statement with named parameters `P` and rows `R`, compiled at its first use on each engine. */
export interface Statement<P extends object, R> {
  /** Names the prepared statement on the server; unique in the process. */
  readonly name: string;
  readonly build: (sql: Sql<object>, parameters: P) => Compilable<R>;
}

/** Writes the condition that the column is the key, or among the gathered keys. */
type IsKey = (column: string) => Expression<SqlBool>;

/** A look-up of at most one row by a text key, which an engine may gather with its like. */
export interface Lookup<R extends { lookup_key: string }> {
  readonly name: string;
  readonly build: (sql: Sql<object>, isKey: IsKey) => Compilable<R>;
}

/** SQL text ready for the driver. */
export interface Compiled {
  /** Empty for a query that runs once. */
  readonly name: string;
  readonly text: string;
  /** False for whatever changes something: it goes to the writing connection. */
  readonly isRead: boolean;
  /** The values in the order of the text's placeholders. */
  readonly bind: (parameters: object) => unknown[];
}

/** Stands for a parameter's value while Kysely writes the SQL. */
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

/** What a store declares its statements with; see `statementsFor`. */
export interface Statements<Tables> {
  /**
   * Declares a statement. Parameters are used like values; they are bound by name at each run:
   * `statement((sql, p: { id: number }) => sql.selectFrom('users').select('email').where('id', '=', p.id))`.
   */
  readonly statement: <P extends object, R>(
    build: (sql: Sql<Tables>, parameters: P) => Compilable<R>,
  ) => Statement<P, R>;
  /** Declares a look-up. The query must name the key column `lookup_key` among its results. */
  readonly lookup: <R extends { lookup_key: string }>(
    build: (sql: Sql<Tables>, isKey: IsKey) => Compilable<R>,
  ) => Lookup<R>;
}

/** Returns what declares statements about the given tables, which a store takes from the `schema.ts` of their modules. */
export function statementsFor<Tables>(): Statements<Tables> {
  return {
    // The builder writes the same SQL whatever tables its type knows: they exist at compile time only.
    statement: (build) => ({ name: newName(), build: (sql, p) => build(sqlFor<Tables>(sql), p) }),
    lookup: (build) => ({ name: newName(), build: (sql, isKey) => build(sqlFor<Tables>(sql), isKey) }),
  };
}

function sqlFor<Tables>(sql: Sql<object>): Sql<Tables> {
  return sql as unknown as Sql<Tables>; // Kysely is invariant in its tables, and knows none of them at run time
}

function compile<R>(name: string, query: Compilable<R>): Compiled {
  const { sql: text, parameters, query: node } = query.compile();
  const names = parameters.map((value) => (value instanceof Placeholder ? value.name : undefined));
  return {
    name,
    text,
    isRead: node.kind === 'SelectQueryNode',
    bind: (given) =>
      names.map((key, i) => (key === undefined ? parameters[i] : (given as Record<string, unknown>)[key])),
  };
}

/** Compiles a query for one call: for rare ones whose shape depends on their input. */
export function compileOnce<R, Tables>(engine: Engine, build: (sql: Sql<Tables>) => Compilable<R>): Compiled {
  return compile('', build(sqlFor<Tables>(engine.sql)));
}

/** The statements compiled for one engine, each at its first use. */
export class CompiledStatements {
  readonly #engine: Engine;
  readonly #byName = new Map<string, Compiled>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  of<P extends object, R>({ name, build }: Statement<P, R>): Compiled {
    return this.#once(name, () => build(this.#engine.sql, placeholders as P)); // a proxy answers every name that P has
  }

  /** A look-up takes the parameter `key`: one, or on a gathering engine all keys of one turn. */
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

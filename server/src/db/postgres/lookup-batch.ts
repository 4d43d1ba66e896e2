/** Maximum number of keys in one statement. */
const maxKeys = 500;

/** A row that a look-up finds; `lookup_key` is the key. */
type FoundRow = Record<string, unknown>;

interface Caller {
  readonly resolve: (rows: FoundRow[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Collects the look-ups of one kind in one turn of the event loop and sends them as one statement. */
export class LookupBatch {
  readonly #select: (keys: readonly string[]) => Promise<FoundRow[]>;
  #callers = new Map<string, Caller[]>();

  /** @param select Returns the rows of the keys, in any order. */
  constructor(select: (keys: readonly string[]) => Promise<FoundRow[]>) {
    this.#select = select;
  }

  /** Returns the rows of a key. */
  find(key: string): Promise<FoundRow[]> {
    // No row has such a key, and PostgreSQL would refuse the whole statement, with the keys of all other callers.
    if (key.includes('\0')) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      if (this.#callers.size === 0) setImmediate(() => void this.#flush());
      const others = this.#callers.get(key);
      if (others === undefined) this.#callers.set(key, [{ resolve, reject }]);
      else others.push({ resolve, reject });
    });
  }

  async #flush(): Promise<void> {
    const callers = this.#callers;
    this.#callers = new Map();
    const keys = [...callers.keys()];
    const parts = [];
    for (let i = 0; i < keys.length; i += maxKeys)
      parts.push(this.#send(keys.slice(i, i + maxKeys), callers));
    await Promise.all(parts);
  }

  async #send(keys: string[], callers: ReadonlyMap<string, Caller[]>): Promise<void> {
    try {
      const rows = await this.#select(keys);
      const found = Map.groupBy(rows, (row) => row['lookup_key']);
      for (const key of keys) for (const { resolve } of callers.get(key) ?? []) resolve(found.get(key) ?? []);
    } catch (error) {
      for (const key of keys) for (const { reject } of callers.get(key) ?? []) reject(error);
    }
  }
}

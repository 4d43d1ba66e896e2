// The shape of an option. A table of options is an object of rows; its keys are the names that the code uses.

/** Default directory of the data. */
export const defaultDataDir = './data';

/** What a default may depend on. */
export interface OptionContext {
  /** `PUBLIC_URL` is https. */
  readonly isPublic: boolean;
  readonly dataDir: string;
  /** Returns the value of another option. */
  readonly valueOf: <T>(row: OptionRow<T>) => T;
}

/** Reads the text of a value. @throws {OptionFault} if it is invalid. */
export interface OptionParser<T> {
  (value: string): T;
  /** Says in a sentence of docs/reference/configuration.md which values are accepted, if they can be listed. */
  readonly accepts?: string;
}

/** One option. */
export interface OptionRow<T> {
  /** Name of the environment variable, and of the key in a configuration file. */
  readonly env: string;
  readonly parse: OptionParser<T>;
  /** Describes the option in one or two sentences. */
  readonly says: string;
  readonly default: (context: OptionContext) => T;
  /** Describes the default, if it depends on other options. */
  readonly defaultSays?: string;
  /** Never printed; may also be given as the path of a file in `<env>_FILE`. */
  readonly secret?: boolean;
}

/** Rows by the name that the code uses. */
export type OptionTable = Readonly<Record<string, OptionRow<unknown>>>;

/** The values of a table. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: ReturnType<Table[Name]['default']>;
};

/**
 * Finds combinations of valid values that do not work or are unsafe. Returns one sentence for each, which names the
 * option and the remedy. `faulty` holds the names of options whose value is invalid; they have their default, and need
 * no sentence.
 */
export type OptionCheck<Values> = (
  values: Values,
  context: { readonly isPublic: boolean; readonly faulty: ReadonlySet<string> },
) => readonly string[];

/** Declares a row, with the type of its value. */
export function option<T>(row: OptionRow<T>): OptionRow<T> {
  return row;
}

/** Returns the default of an option in local mode, with all other options at their defaults. The library uses it. */
export function localDefault<T>(row: OptionRow<T>): T {
  return row.default({ isPublic: false, dataDir: defaultDataDir, valueOf: localDefault });
}

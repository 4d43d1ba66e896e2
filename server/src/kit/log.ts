/** What a room needs of a log: a sentence and the facts beside it. Pino fits as it is. */
export interface Log {
  debug(facts: object, sentence: string): void;
  info(facts: object, sentence: string): void;
  warn(facts: object, sentence: string): void;
  error(facts: object, sentence: string): void;
}

const nothing = (): void => {};

/** The log of a library user who gave none. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** The log that modules write to: structured fields and a sentence. Pino implements it. */
export interface Log {
  debug(facts: object, sentence: string): void;
  info(facts: object, sentence: string): void;
  warn(facts: object, sentence: string): void;
  error(facts: object, sentence: string): void;
}

const nothing = (): void => {};

/** A log that discards everything: the default of the library. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

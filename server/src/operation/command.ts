// What all commands share: how a feature contributes one, and their output, a table or JSON on standard output.
import type { Command } from 'commander';
import { printable } from '../kit/text/printable.ts';
import type { AuditSource } from '../audit/event.ts';

/** Input of a command of a feature. `Parts` are the parts of the core and the options that commands may use. */
export interface FeatureCommandContext<Parts> {
  /**
   * Runs `work` on the data of a service that was started before, and says which database that is.
   * @throws {CommandError | DatabaseRefused | KeysRefused} if no service has used the database or the keys yet.
   */
  readonly withData: <T>(work: (parts: Parts) => Promise<T>) => Promise<T>;
}

/** A command of `bienvenue` with its subcommands, which a feature contributes. */
export interface FeatureCommand<Parts> {
  /** Its name at the command line. */
  readonly name: string;
  /** Loads it when it runs, or for help. */
  readonly load: () => Promise<(context: FeatureCommandContext<Parts>) => Command>;
}

/** The actor in audit events: commands run with the rights of the operator. */
export const operator: AuditSource = { actor: 'operator' };

/** Prints a value as JSON or as text. Control characters, which strangers may have written, are escaped. */
export function print(json: boolean, value: unknown, words: string): void {
  console.log(printable(json ? JSON.stringify(value, null, 2) : words));
}

/** Formats a table whose columns are as wide as their widest cell. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(headings), ...rows.map(line)].join('\n');
}

/** Formats an instant: ISO 8601 to the minute, UTC. */
export function showInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

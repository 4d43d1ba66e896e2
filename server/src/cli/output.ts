// Output of the commands: a table or JSON on standard output, a failure as one sentence on standard error, and exit
// codes for scripts.
import { inspect } from 'node:util';
import { KeysRefused } from '../kit/keyring.ts';
import { printable } from '../kit/printable.ts';
import { Problem } from '../kit/problem.ts';
import type { AuditSource } from '../audit/event.ts';
import { ConfigurationFault } from '../config/read-options.ts';
import { NewerSchema } from '../db/migrate.ts';
import { DatabaseRefused } from '../db/sqlite-file.ts';
import { SigningKeyRefused } from '../keys/signing-key.ts';
import { CommandError } from '../operation/refusal.ts';
import { ValueError } from '../user/user.ts';

/** 0 done; 1 rejected or not found; 2 wrong usage or options; 70 internal error (sysexits EX_SOFTWARE). */
export const exitCode = { failed: 1, usage: 2, fault: 70 } as const;

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

/** Prints a failure and sets the exit code. An unexpected error is printed with its stack. */
export function reportError(error: unknown): void {
  if (error instanceof ConfigurationFault) {
    process.exitCode = exitCode.usage;
    console.error(printable(error.message));
  } else if (error instanceof CommandError || error instanceof Problem || error instanceof ValueError) {
    process.exitCode = exitCode.failed;
    console.error(printable(error.message));
  } else if (
    error instanceof DatabaseRefused ||
    error instanceof NewerSchema ||
    error instanceof KeysRefused ||
    error instanceof SigningKeyRefused
  ) {
    process.exitCode = exitCode.failed;
    console.error(printable(error.message));
  } else {
    process.exitCode = exitCode.fault;
    console.error(printable(inspect(error)));
  }
}

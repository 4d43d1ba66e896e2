// Prints a failure of a command as one sentence on standard error, and sets the exit code for scripts.
import { inspect } from 'node:util';
import { KeysRefused } from '../kit/keyring.ts';
import { printable } from '../kit/text/printable.ts';
import { isProblem, Problem } from '../kit/problem.ts';
import { ConfigurationFault } from '../config/read-options.ts';
import { NewerSchema } from '../db/migrate.ts';
import { DatabaseRefused } from '../db/database.ts';
import { SigningKeyRefused } from '../keys/signing-key.ts';
import { CommandError, UsageError } from '../operation/refusal.ts';
import { ValueError } from '../user/user.ts';

/** 0 done; 1 rejected or not found; 2 invalid arguments, input or options; 70 internal error (sysexits EX_SOFTWARE). */
export const exitCode = { failed: 1, usage: 2, fault: 70 } as const;

let isWatched = false;

/** Reports that standard output cannot be written; without a listener Node.js would print it as a bug. */
export function watchOutput(): void {
  if (isWatched) return; // a process may run several commands
  isWatched = true;
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return; // its reader, such as `head`, has enough
    process.exitCode = exitCode.failed;
    console.error(`The output cannot be written: ${message}`);
  });
  process.stderr.on('error', () => {}); // nothing is left to report it to
}

/** Prints a failure and sets the exit code. An unexpected error is printed with its stack. */
export function reportError(error: unknown): void {
  if (error instanceof ConfigurationFault || isUsage(error)) {
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

/** Returns whether arguments or input are invalid, and not only in conflict with the data. */
function isUsage(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  if (!isProblem(error, 'invalid_request')) return false;
  return error.fields.length > 0 && error.fields.every(({ reason }) => reason !== 'registered_already');
}

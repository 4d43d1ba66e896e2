/** A command or a start cannot do what was requested; the message is for the operator. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** The arguments or the input of a command are invalid, whatever the data contains. */
export class UsageError extends CommandError {}

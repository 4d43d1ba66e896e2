// The commands. Each uses the same rooms as the service, without HTTP; a running server notices what they do at its
// next request.
import { Command } from 'commander';
import type { Environment } from '../config/read-options.ts';
import { exitCode, tellFault } from './output.ts';

/** What every command is given. */
export interface CommandContext {
  readonly environment: Environment;
}

const exitCodes = `
Exit codes: 0 done; 1 refused or not found; 2 wrong usage or options; 70 a fault of the program.
Options are environment variables (docs/configuration.md); "bienvenue config" shows what holds.`;

/** Runs the command that the arguments name. */
export async function run(argv: readonly string[], environment: Environment): Promise<void> {
  const context: CommandContext = { environment };
  const program = new Command('bienvenue')
    .description('A user authentication service: register, log in, log out, profile, reset the password.')
    .addHelpText('after', exitCodes)
    .showHelpAfterError('(add --help for what it takes)')
    .exitOverride();
  await addCommands(program, context);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (isCommanderExit(error)) process.exitCode = error.exitCode === 0 ? 0 : exitCode.usage;
    else tellFault(error);
  }
}

/** Commands are loaded when the program starts with their name, so that serving does not pay for the others. */
async function addCommands(program: Command, context: CommandContext): Promise<void> {
  const [{ serveCommand }, { configCommand }, { migrateCommand }, { userCommand }, { sessionCommand }, { doctorCommand }] =
    await Promise.all([
      import('./serve.ts'),
      import('./config.ts'),
      import('./migrate.ts'),
      import('./user.ts'),
      import('./session.ts'),
      import('./doctor.ts'),
    ]);
  for (const command of [serveCommand, configCommand, migrateCommand, userCommand, sessionCommand, doctorCommand]) {
    program.addCommand(command(context).exitOverride());
  }
}

function isCommanderExit(error: unknown): error is { exitCode: number } {
  return error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.');
}

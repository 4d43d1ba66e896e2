// The commands. They use the same core as the service, without HTTP; a running server notices changes at its next
// request.
import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import type * as OpenCore from '../app/open-core.ts';
import type { CommandContext, ProgramInput } from './context.ts';
import { exitCode, reportError, watchOutput } from './output.ts';

const exitCodes = `
Exit codes: 0 success; 1 rejected or not found; 2 invalid arguments, input or configuration; 70 internal error.
Options are environment variables (docs/reference/configuration.md); "bienvenue config" prints their values.`;

type Load = () => Promise<(context: CommandContext) => Command>;

/**
 * A command is loaded if the arguments name it, so that the others cost nothing; for help and for unknown commands, all
 * are.
 */
const commands = new Map<string, Load>([
  ['serve', () => import('./command/serve.ts').then((module) => module.serveCommand)],
  ['config', () => import('./command/config.ts').then((module) => module.configCommand)],
  ['migrate', () => import('./command/migrate.ts').then((module) => module.migrateCommand)],
  ['user', () => import('./command/user.ts').then((module) => module.userCommand)],
  ['session', () => import('./command/session.ts').then((module) => module.sessionCommand)],
  ['audit', () => import('./command/audit.ts').then((module) => module.auditCommand)],
  ['mail', () => import('./command/mail.ts').then((module) => module.mailCommand)],
  ['key', () => import('./command/key.ts').then((module) => module.keyCommand)],
  ['signing-key', () => import('./command/key.ts').then((module) => module.signingKeyCommand)],
  ['doctor', () => import('./command/doctor.ts').then((module) => module.doctorCommand)],
]);

/** Loaded when a command runs that needs a service or belongs to a feature, and for help. */
const open = (): Promise<typeof OpenCore> => import('../app/open-core.ts');

/** Returns the commands of all features. They are read only if no command above has the name. */
async function commandsOfFeatures(): Promise<ReadonlyMap<string, Load>> {
  const { featureCommands } = await open();
  return new Map(
    featureCommands.map(({ name, load }) => [
      name,
      async () => {
        const command = await load();
        return ({ withCore }) =>
          command({
            withData: (work) =>
              withCore(async ({ context: { db, clock, events } }, options) =>
                work({ db, clock, events, options }),
              ),
          });
      },
    ]),
  );
}

/** Runs the command that the arguments name. */
export async function run(argv: readonly string[], input: ProgramInput): Promise<void> {
  watchOutput();
  const program = await createProgram(input, argv[2]);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (isCommanderExit(error)) process.exitCode = error.exitCode === 0 ? 0 : exitCode.usage;
    else reportError(error);
  }
}

/** Returns the program with the command of this name; without such a command, with all commands. */
export async function createProgram(input: ProgramInput, name = ''): Promise<Command> {
  const program = new Command('bienvenue')
    .description('Runs and operates Bienvenue, a user authentication service.')
    .version(version(), '-V, --version', 'print the version')
    .addHelpText('after', exitCodes)
    .showHelpAfterError('(add --help for usage)')
    .exitOverride();
  const own = commands.get(name);
  const all = own === undefined ? new Map([...commands, ...(await commandsOfFeatures())]) : commands;
  const named = all.get(name);
  const loaded = await Promise.all((named === undefined ? [...all.values()] : [named]).map((load) => load()));
  const { environment } = input;
  const context: CommandContext = {
    ...input,
    enter: async () => (await open()).enter(environment).options,
    openData: async () => {
      const { configuration, database } = await (await open()).openData(environment);
      return { options: configuration.options, database };
    },
    withCore: async (work) => (await open()).withCore(environment, work),
  };
  for (const command of loaded) program.addCommand(command(context).exitOverride());
  return program;
}

/** The version of this release; the manifest is as far from the sources as from the compiled files. */
function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version; // our own file
}

function isCommanderExit(error: unknown): error is { exitCode: number } {
  return (
    error instanceof Error &&
    'exitCode' in error &&
    'code' in error &&
    String(error.code).startsWith('commander.')
  );
}

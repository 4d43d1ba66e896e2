// Renders docs/reference/command-line.md from the commands and their help.
import { createProgram } from '../server/src/cli/cli.ts';

type Command = Awaited<ReturnType<typeof createProgram>>;

/** Returns the reference of all commands of `bienvenue` in Markdown. */
export async function commandLineReference(): Promise<string> {
  const program = await createProgram({ environment: {} });
  return (
    [
      '# Command line',
      '<!-- Written by `npm run generate` from the commands in server/src/cli. -->',
      'How to run `bienvenue` depends on how the service is installed ([Deploy](../guides/deploy.md#install)):',
      [
        '| installation | command |',
        '|---|---|',
        '| checkout | `npx bienvenue` in the folder of the checkout |',
        '| systemd | `sudo /opt/bienvenue/deploy/bienvenue` |',
        '| Docker | `docker exec -it bienvenue node server/bin/bienvenue.js`, where `bienvenue` is the name of the container |',
      ].join('\n'),
      [
        'Commands work on the data of a running service, which notices changes with its next request. In a checkout, set the same',
        'environment variables for the command as for the service ([Configuration](configuration.md)): without them, it uses the data',
        'in `./data`.',
      ].join('\n'),
      [
        'Each command that uses data prints the database on standard error; standard output is for its result. Only `serve` creates',
        'a database and keys. A command runs as the owner of the database: root becomes that user, and any other user is rejected',
        '([Files and their owner](../guides/deploy.md#files-and-their-owner)).',
      ].join('\n'),
      [
        '| exit code | meaning |',
        '|---|---|',
        '| 0 | success |',
        '| 1 | rejected or not found |',
        '| 2 | invalid arguments, input or configuration |',
        '| 70 | internal error |',
      ].join('\n'),
      ...program.commands.flatMap((command) => commandTexts(command, 'bienvenue', 2)),
      '',
    ]
      .join('\n\n')
      .trimEnd() + '\n'
  );
}

/** Renders a command and its subcommands, each with a heading. */
function commandTexts(command: Command, parent: string, level: number): string[] {
  const path = `${parent} ${command.name()}`;
  const subcommands = command.commands.filter((one) => one.name() !== 'help');
  const args = command.registeredArguments.map((one) =>
    one.required ? ` <${one.name()}>` : ` [${one.name()}]`,
  );
  const options = command.options.map(
    ({ flags, description, defaultValue }) =>
      `| \`${flags}\` | ${inCell(description)}${defaultValue === undefined ? '' : `; default: ${String(defaultValue)}`} |`,
  );
  const description = command.description();
  return [
    `${'#'.repeat(level)} \`${path}${args.join('')}\``,
    `${description.charAt(0).toUpperCase()}${description.slice(1)}.`,
    ...(options.length === 0 ? [] : [['| option | what it does |', '|---|---|', ...options].join('\n')]),
    ...subcommands.flatMap((one) => commandTexts(one, path, level + 1)),
  ];
}

function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

// Checks everything that the service needs, and says how to correct what is wrong.
import { Command } from 'commander';
import { brandNotes } from '../../brand/color.ts';
import { ConfigurationFault } from '../../config/read-options.ts';
import { migratedModules } from '../../app/migrations.ts';
import { readOptions, type Configuration } from '../../app/options.ts';
import { checkAddress, checkPublicHost } from '../../operation/address-check.ts';
import { becomeOwner } from '../../operation/data-owner.ts';
import { announce, shownDatabase } from '../../operation/data-place.ts';
import { checkDatabase } from '../../operation/database-check.ts';
import { checkFiles } from '../../operation/file-check.ts';
import type { Finding } from '../../operation/finding.ts';
import { checkMail } from '../../operation/mail-check.ts';
import { CommandError } from '../../operation/refusal.ts';
import type { CommandContext } from '../context.ts';
import { print, table } from '../../operation/command.ts';
import { exitCode } from '../output.ts';

interface Flags {
  readonly json?: boolean;
  readonly mail?: string;
}

export function doctorCommand({ environment }: CommandContext): Command {
  return new Command('doctor')
    .description('check options, database, schema, keys, files, disk, clock and address; send a test email')
    .option('--mail <address>', 'also send an email there; if it fails, name the step')
    .option('--json', 'print JSON')
    .action(async ({ json = false, mail }: Flags) => {
      const findings = await examine(environment, mail);
      const rows = findings.map(({ about, verdict, says }) => [verdict, about, says]);
      print(json, findings, table(['', 'ABOUT', ''], rows));
      if (findings.some(({ verdict }) => verdict === 'fault')) process.exitCode = exitCode.failed;
    });
}

async function examine(
  environment: CommandContext['environment'],
  recipient: string | undefined,
): Promise<Finding[]> {
  let configuration: Configuration;
  try {
    configuration = readOptions(environment);
  } catch (error) {
    if (!(error instanceof ConfigurationFault)) throw error;
    return error.faults.map((says) => ({ about: 'options', verdict: 'fault', says }));
  }
  announce('Database', shownDatabase(configuration.options.databaseUrl));
  return [
    { about: 'options', verdict: 'ok', says: `${configuration.isPublic ? 'public' : 'local'} mode` },
    ...configuration.warnings.map((says): Finding => ({ about: 'options', verdict: 'unsafe', says })),
    ...checkBrand(configuration),
    ...(await checkData(configuration, environment)),
    await checkAddress(configuration.options),
    ...checkPublicHost(configuration.options),
    ...(recipient === undefined ? [] : [await checkMail(configuration.options, recipient)]),
  ];
}

/** Checks files and database. Root looks at the files, and opens the database as their owner. */
async function checkData(
  configuration: Configuration,
  environment: CommandContext['environment'],
): Promise<Finding[]> {
  try {
    const files = checkFiles(configuration.options);
    becomeOwner(configuration.options);
    return [...files, ...(await checkDatabase(configuration.options, environment, migratedModules))];
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return [{ about: 'files', verdict: 'fault', says: error.message }];
  }
}

/** Reports the colors that pages show instead of the one that the operator chose. */
function checkBrand({ options, sources }: Configuration): Finding[] {
  if (sources.productColor === 'default') return [];
  return brandNotes(options.productColor).map((says) => ({
    about: 'brand',
    verdict: 'ok',
    says: `PRODUCT_COLOR ${says}`,
  }));
}

// Reads all options of the service: those of the core, and those that each module declares in its `options.ts`.
import { checkCoreOptions, coreOptions } from '../config/options.ts';
import type { OptionTable } from '../config/option.ts';
import { readOptionSet, type Environment } from '../config/read-options.ts';
import type { Configuration, SharedTable } from '../module.ts';
import { modules } from './modules.ts';

/** Tables of options, in the order of `bienvenue config`. */
export const allOptions: OptionTable = Object.fromEntries(
  [coreOptions, ...modules.map(({ options }) => options)].flatMap((table) => Object.entries(table)),
);

export type { Configuration };

/**
 * Reads all options. The type lists only the shared ones; the values also include those of each module.
 * @throws {ConfigurationFault} if the file, a value or a combination of values is invalid; it lists every fault.
 */
export function readOptions(environment: Environment): Configuration {
  const table = allOptions as SharedTable; // the modules of identity are in the list
  return readOptionSet(environment, {
    table,
    checks: [checkCoreOptions, ...modules.map(({ check }) => check)],
  });
}

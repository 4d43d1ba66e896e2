// Checks the options that a program passes before they are read: their names, and that they are texts.
import { nearest } from '../kit/text/near-name.ts';
import { knownNames } from '../config/option-name.ts';
import { ConfigurationFault, type Environment } from '../config/read-options.ts';
import { allOptions } from '../app/options.ts';

/**
 * Returns the options of a program. An object with PATH is the environment of a process, in which other names are those
 * of other programs.
 * @throws {ConfigurationFault} if a name is unknown, with the one that was probably meant, or a value is not a text.
 */
export function givenOptions(options: object): Environment {
  const known = knownNames(allOptions);
  const isEnvironment = Object.keys(options).some((name) => name.toUpperCase() === 'PATH');
  const faults = Object.entries(options as Record<string, unknown>).flatMap(([name, value]) => {
    if (known.has(name)) return isText(value) ? [] : [`${name} must be a text${remedyOf(value)}`];
    return isEnvironment ? [] : [`${name} is not an option; ${hintOn(name, known)}`];
  });
  if (faults.length > 0) throw new ConfigurationFault(faults);
  return options as Environment; // just checked
}

function isText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function hintOn(name: string, known: ReadonlySet<string>): string {
  const meant = nearest(name.toUpperCase(), known, 1);
  return meant === undefined ? 'docs/reference/configuration.md lists the options' : `did you mean ${meant}?`;
}

/** Returns how to write a value of another type. */
function remedyOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return `, as in the environment: '${value}'`;
  if (value instanceof URL) return `: '${value.href}'`;
  if (Array.isArray(value)) return `, with commas: '${value.join(', ')}'`;
  return value === null ? ', not null' : `, not a value of type ${typeof value}`;
}

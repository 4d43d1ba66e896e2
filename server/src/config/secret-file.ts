import type { OptionRow, OptionTable } from './option.ts';

/**
 * Returns whether an option may be given as the path of a file in `<env>_FILE`: every secret except SECRET_KEY, whose
 * file is an option of its own, because the service creates and writes it.
 */
export function hasSecretFile({ env, secret }: OptionRow<unknown>, table: OptionTable): boolean {
  return secret === true && !Object.values(table).some((other) => other.env === `${env}_FILE`);
}

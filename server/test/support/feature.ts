// Tests of several features at once say which they need: they are skipped in a project without one of these
// (removal.long.ts). Tests of one feature alone are in its folder.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../src/features');

/** Why a test that needs these features is skipped; `false` if they are all there: `{ skip: without('totp') }`. */
export function without(...features: readonly string[]): string | false {
  const absent = features.filter((feature) => !existsSync(join(folder, feature, 'module.ts')));
  return absent.length > 0 && `without ${absent.join(', ')}`;
}

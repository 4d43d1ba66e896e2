// Tests of several features at once say which they need: they are skipped in a project without one of these
// (removal.long.ts). Tests of one feature alone are in its folder.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const folder = join(import.meta.dirname, '../../src/features');

/** Why a test that needs these features is skipped; `false` if they are all there: `{ skip: without('totp') }`. */
export function without(...features: readonly string[]): string | false {
  const absent = features.filter((feature) => !existsSync(join(folder, feature, 'module.ts')));
  return absent.length > 0 && `without ${absent.join(', ')}`;
}

/** Title of a suite, and why it is skipped. */
export interface FeatureTitle {
  readonly text: string;
  readonly skip: string | false;
}

/** Title of a suite that needs these features. */
export function needs(text: string, ...features: readonly string[]): FeatureTitle {
  return { text, skip: without(...features) };
}

/** Skips a test that needs these features, if one of them is absent: `if (lacks(t, 'totp')) return;`. */
export function lacks(t: TestContext, ...features: readonly string[]): boolean {
  const reason = without(...features);
  if (reason !== false) t.skip(reason);
  return reason !== false;
}

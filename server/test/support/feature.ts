// Skips tests of several features in a project that lacks one of them (removal.long.ts). Tests of one feature alone are
// in its folder.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const folder = join(import.meta.dirname, '../../src/features');

/**
 * Returns the reason to skip a test that needs these features; `false` if the project has them all: `{ skip:
 * without('totp') }`.
 */
export function without(...features: readonly string[]): string | false {
  const absent = features.filter((feature) => !existsSync(join(folder, feature, 'module.ts')));
  return absent.length > 0 && `without ${absent.join(', ')}`;
}

/** Whether the project has the feature. */
export function hasFeature(feature: string): boolean {
  return without(feature) === false;
}

/** Entries of a record that belong to a feature; none in a project that lacks it. */
export function entriesOf<T>(
  feature: string,
  entries: Readonly<Record<string, T>>,
): Readonly<Record<string, T>> {
  return hasFeature(feature) ? entries : {};
}

/** Rows of a list that belong to a feature; none in a project that lacks it. */
export function listIf<T>(feature: string, ...rows: readonly T[]): readonly T[] {
  return hasFeature(feature) ? rows : [];
}

/** Title of a suite, and the reason to skip it. */
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

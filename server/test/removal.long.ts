// Removes each feature from a copy of the project, by deleting its folder and its lines in app/modules.ts, and checks
// what remains: types, lint, and the tests of the main and the system lane.
//
//   REMOVAL_FEATURES=totp,passkey REMOVAL_CHECKS=types,lint node --test server/test/removal.long.ts
//
// By default every feature is removed and everything is checked, which takes some minutes for each feature.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  copyProject,
  featuresIn,
  listPath,
  listWithout,
  type ListedFeature,
} from './support/project-copy.ts';

interface Check {
  readonly program: string;
  readonly args: readonly string[];
}

const checks: Readonly<Record<string, Check>> = {
  types: { program: 'tsc', args: ['--noEmit', '-p', 'tsconfig.json'] },
  lint: { program: 'oxlint', args: [] },
  main: { program: 'node', args: ['tools/test.mjs', 'main'] },
  system: { program: 'node', args: ['tools/test.mjs', 'system'] },
};

/** Returns the names in a variable, or all names. */
function chosen(variable: string, all: readonly string[]): readonly string[] {
  const names = process.env[variable]?.split(',') ?? all;
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0)
    throw new Error(`${variable}: ${unknown.join(', ')} is not one of ${all.join(', ')}`);
  return names;
}

const features = featuresIn(readFileSync(join(import.meta.dirname, '../..', listPath), 'utf8'));
const chosenFeatures = chosen(
  'REMOVAL_FEATURES',
  features.map(({ feature }) => feature),
);
const chosenChecks = chosen('REMOVAL_CHECKS', Object.keys(checks));

/** Removes the feature from a copy and runs the checks; returns one report for each check that failed. */
async function failuresWithout(listed: ListedFeature): Promise<string[]> {
  const project = copyProject();
  try {
    project.remove(`server/src/features/${listed.feature}`);
    project.write(listPath, listWithout(project.read(listPath), listed));
    project.remove('server/bundle'); // that of the checkout has the feature
    const steps: (readonly [string, Check])[] = [
      ['bundle', { program: 'node', args: ['tools/bundle.mjs'] }],
      ['generate', { program: 'node', args: ['tools/generate.ts'] }],
      // Adapts the ceilings: without the feature some limits are no longer exceeded, and the rates change.
      ['ceilings', { program: 'node', args: ['tools/ceilings.ts', '--accept'] }],
      ...chosenChecks.map((name) => [name, checks[name] ?? assert.fail()] as const),
    ];
    const failures: string[] = [];
    for (const [name, { program, args }] of steps) {
      const { isGreen, output } = await project.run(program, args);
      if (!isGreen) failures.push(`${name} fails without ${listed.feature}:\n${shortened(output)}`);
    }
    return failures;
  } finally {
    project.close();
  }
}

/** Returns the end of the output, with the failed tests. */
function shortened(output: string): string {
  const [, failed] = output.split('failing tests:');
  return (failed ?? output).slice(0, 20_000);
}

test('the features are read from the list of modules', () => {
  assert.ok(features.length >= 13, `${features.length} features`);
});

describe(`green without the feature: ${chosenChecks.join(', ')}`, () => {
  for (const listed of features.filter(({ feature }) => chosenFeatures.includes(feature))) {
    test(listed.feature, async () => {
      const failures = await failuresWithout(listed);
      assert.ok(failures.length === 0, failures.join('\n\n'));
    });
  }
});

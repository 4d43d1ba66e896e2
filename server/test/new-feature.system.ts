// Adds the feature of fixture/whoami to a copy of the project: one folder, and two lines in app/modules.ts. Checks each
// of its contributions, and runs the tests that run for all features.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { copyProject, listPath, listWith, type ProjectCopy } from './support/project-copy.ts';

const feature = 'whoami';
const folder = `server/src/features/${feature}`;
/** Tests that run for all features. */
const checks = [
  'access',
  'architecture',
  'columns',
  'documents',
  'drift',
  'messages',
  'problem-codes',
  'words',
];
/** The same, with services of their own. */
const serviceChecks = [
  'server/src/app/option-values.test.ts',
  'server/test/page-plans.test.ts',
  'server/test/attacks/page-form.test.ts',
  'server/test/attacks/session-renewal.test.ts',
  'server/test/journeys/data-rights.test.ts',
];
const onAnotherEngine = '--test-global-setup=server/test/support/postgres-server.ts';

describe('a new feature', { concurrency: 2 }, () => {
  let project: ProjectCopy;
  const passes = async (program: string, ...args: string[]): Promise<string> => {
    const { isGreen, output } = await project.run(program, args);
    assert.ok(isGreen, `${program} ${args.join(' ')}\n${output}`);
    return output;
  };

  before(async () => {
    project = copyProject();
    // Records the current breaches, so that new ones are those of the feature.
    await passes('node', 'tools/ceilings.ts', '--accept');
    cpSync(join(import.meta.dirname, 'fixture', feature), join(project.folder, folder), { recursive: true });
    project.write(listPath, listWith(project.read(listPath), { feature, name: feature }));
    // "npm run mails" creates it, with Chromium.
    const pictures = join(project.folder, 'docs/guides/email');
    cpSync(join(pictures, 'new_device.en.png'), join(pictures, 'whoami_answered.en.png'));
    await passes('node', 'tools/generate.ts');
  });
  after(() => project.close());

  test('passes the types', async () => void (await passes('tsc', '--noEmit', '-p', 'tsconfig.json')));
  test('passes the lint', async () => void (await passes('oxlint', folder)));

  test('passes its own tests, on both engines', async () => {
    const output = await passes('node', '--test', onAnotherEngine, `${folder}/whoami.test.ts`);
    for (const engine of ['sqlite', 'postgres']) assert.match(output, new RegExp(`✔ whoami \\(${engine}\\)`));
  });

  test('passes the tests that hold for all features', async () => {
    const files = checks.map((check) => `server/test/${check}.test.ts`);
    await passes('node', '--test', '--test-isolation=none', ...files);
  });

  test('passes the tests that start services with all features', async () => {
    const args = ['--test', '--test-isolation=none', ...serviceChecks];
    const { isGreen, output } = await project.run('node', args, { TEST_ENGINES: 'sqlite' });
    assert.ok(isGreen, output);
  });

  test('has its command in the help of "bienvenue"', async () => {
    const output = await passes('node', 'server/src/main.ts', 'whoami', 'show', '--help');
    assert.match(output, /show the number of answers in this month/);
  });

  test('has its option in "bienvenue config"', async () => {
    const output = await passes('node', 'server/src/main.ts', 'config');
    assert.match(output, /WHOAMI_LIMIT\s.*100/);
  });

  test('is the example of docs/adding-a-feature.md', () => {
    const guide = project.read('docs/adding-a-feature.md');
    const codeOf = (file: string): string => project.read(`${folder}/${file}`).trimEnd();
    assert.ok(guide.includes(codeOf('module.ts')), 'module.ts');
    for (const file of ['options.ts', 'event.ts']) {
      const [, ...parts] = codeOf(file).split(/(?=^(?:export )?const )/m);
      assert.ok(guide.includes(parts.join('')), file);
    }
  });

  test('is in the generated documentation', () => {
    assert.match(project.read('docs/reference/configuration.md'), /^\| `WHOAMI_LIMIT` \| `100` \|/m);
    assert.match(project.read('docs/reference/problems.md'), /^\| `whoami_limit_reached` \| 409 \|/m);
    assert.match(project.read('docs/reference/http.md'), /GET \/whoami/);
    assert.match(
      project.read('docs/reference/events.md'),
      /^\| `whoami_answered` \| `sensitive_read` \| success \| `left` \(number\) \| `whoami_answered` \|/m,
    );
    assert.match(project.read('docs/guides/email.md'), /^\*\*whoami_answered\*\* /m);
    assert.match(
      project.read('server/test/routes.snapshot.txt'),
      /^session +cost 0 +GET +\/whoami {2}\(a read\)$/m,
    );
  });
});

// Runs the applications of docs/guides/recipes.md as they are printed. Next.js, which is installed first:
// recipes.long.ts.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { without } from './support/feature.ts';
import { has } from './support/integration.ts';
import { noNginx, prepare, recipe, signsInAndOut } from './support/recipe.ts';
import { temporaryFolder } from './support/running-service.ts';

/** The Python that has Django: one of another version may come first in the PATH. */
const python = ['python3', '/usr/bin/python3'].find(
  (program) => spawnSync(program, ['-c', 'import django']).status === 0,
);

describe(
  'behind the proxy, a user signs in and out of an application',
  { skip: without('forward-auth') || noNginx },
  () => {
    test('in Django', { skip: python === undefined && 'There is no Django on this machine' }, async (t) => {
      const folder = await temporaryFolder(t);
      writeFileSync(join(folder, 'proxy_user.py'), recipe('Django', 'python'));
      writeFileSync(join(folder, 'app.py'), recipe('Django', 'python 2'));
      prepare([String(python), 'app.py', 'migrate'], folder);
      await signsInAndOut(t, folder, (port) => [
        String(python),
        'app.py',
        'runserver',
        '--noreload',
        `127.0.0.1:${port}`,
      ]);
    });

    test('in Go', { skip: !has('go', 'version') && 'There is no Go on this machine' }, async (t) => {
      const folder = await temporaryFolder(t);
      writeFileSync(join(folder, 'main.go'), recipe('Go', 'go'));
      prepare(['go', 'build', '-o', 'application', 'main.go'], folder);
      await signsInAndOut(t, folder, () => [join(folder, 'application')]);
    });

    test('in PHP', { skip: !has('php', '--version') && 'There is no PHP on this machine' }, async (t) => {
      const folder = await temporaryFolder(t);
      writeFileSync(join(folder, 'index.php'), recipe('PHP', 'php'));
      await signsInAndOut(t, folder, (port) => ['php', '-S', `127.0.0.1:${port}`, 'index.php']);
    });
  },
);

// Runs the application for Next.js of docs/guides/recipes.md as it is printed. It installs 340 MB from the npm registry.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { without } from './support/feature.ts';
import { noNginx, prepare, recipe, signsInAndOut } from './support/recipe.ts';
import { temporaryFolder } from './support/running-service.ts';

test(
  'behind the proxy, a user signs in and out of an application in Next.js',
  { skip: without('forward-auth') || noNginx },
  async (t) => {
    const folder = await temporaryFolder(t);
    writeFileSync(join(folder, 'package.json'), '{}');
    const packages = ['next@16', 'react@19', 'react-dom@19'];
    const install = ['install', '--no-audit', '--no-fund', ...packages];
    if (spawnSync('npm', install, { cwd: folder, timeout: 300_000 }).status !== 0)
      return t.skip('Next.js cannot be installed from the npm registry here');
    const pageFolder = join(folder, 'app/[[...path]]');
    mkdirSync(pageFolder, { recursive: true });
    writeFileSync(join(folder, 'app/layout.js'), recipe('Next.js', 'js'));
    writeFileSync(join(pageFolder, 'page.js'), recipe('Next.js', 'js 2'));
    const next = [process.execPath, join(folder, 'node_modules/next/dist/bin/next')];
    prepare([...next, 'build'], folder);
    return signsInAndOut(t, folder, (port) => [...next, 'start', '-H', '127.0.0.1', '-p', String(port)]);
  },
);

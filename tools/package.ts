/**
 * Creates the folder that is published as @bienvenue/server: the output of tsc, the launcher, the bundle, and a
 * manifest that points to them. The manifest in the checkout points to the sources, which Node runs directly; below
 * node_modules it does not strip types.
 *
 *   npm run package -- FOLDER        then: npm publish FOLDER
 */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const server = path.join(root, 'server');

/** The members of a manifest that are read or replaced here. */
interface Manifest {
  readonly exports?: unknown;
  readonly private?: unknown;
  readonly devDependencies?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The manifest of the service in the checkout. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(path.join(server, 'package.json'), 'utf8')) as Manifest; // our own file
}

/** @throws {Error} with the output of the tool, if it fails. */
function runTool(...command: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${path.basename(command[0] ?? '')} failed:\n${stdout}${stderr}`);
}

/**
 * Fills the folder with the package.
 * @throws {Error} with the message of the compiler or the bundler.
 */
export function createPackage(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const compiler = path.join(
    path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin',
    'tsc',
  );
  runTool(compiler, '-p', path.join(server, 'tsconfig.build.json'), '--outDir', path.join(folder, 'dist'));
  runTool(path.join(root, 'tools/bundle.mjs'), path.join(folder, 'bundle'));

  const { private: _private, devDependencies: _devDependencies, ...manifest } = readManifest();
  const published = {
    ...manifest,
    types: './dist/index.d.ts',
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    files: ['assets', 'bin', 'bundle', 'dist', 'languages'],
  };
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
  // The messages of modules must be next to the compiled files, which contain the name of their folder.
  for (const messages of globSync('src/**/messages', { cwd: server }))
    cpSync(path.join(server, messages), path.join(folder, 'dist', path.relative('src', messages)), {
      recursive: true,
    });
  for (const name of ['assets', 'languages'])
    cpSync(path.join(server, name), path.join(folder, name), { recursive: true });
  cpSync(path.join(server, 'bin'), path.join(folder, 'bin'), { recursive: true });
  for (const page of ['README.md', 'LICENSE']) cpSync(path.join(root, page), path.join(folder, page));
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    console.error('Usage: npm run package -- FOLDER');
    process.exitCode = 2;
  } else createPackage(path.resolve(process.env['INIT_CWD'] ?? '.', folder));
}

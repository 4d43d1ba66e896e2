/**
 * Creates the folder that is published as @bienvenue/server: the output of tsc, the launcher, the bundle, a README for
 * those who install it, and a manifest that points to them. The manifest in the checkout points to the sources, which
 * Node runs directly; below node_modules it does not strip types.
 *
 *   npm run package -- FOLDER        then: npm publish FOLDER
 */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const server = path.join(root, 'server');

/** What npm packs, besides the manifest, the README and the license. */
const contents = ['assets', 'bin', 'bundle', 'dist', 'docs', 'languages'];

/** The members of a manifest that are read or replaced here. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports?: unknown;
  readonly private?: unknown;
  readonly devDependencies?: unknown;
  readonly dependencies: Readonly<Record<string, string>>;
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

/** The manifest of the package. */
function publishedManifest(): object {
  const { private: _private, devDependencies: _devDependencies, dependencies, ...manifest } = readManifest();
  return {
    ...manifest,
    // A program with a newer Fastify 5 shares it with us: only then `request.session` has a type in its routes.
    dependencies: { ...dependencies, fastify: `^${dependencies['fastify']}` },
    types: './dist/index.d.ts',
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    files: contents,
  };
}

/**
 * Makes all problem codes known to the compiler: each module declares its own in a file that the declarations of the
 * library do not import otherwise.
 */
function referToProblems(dist: string): void {
  const files = globSync('**/problem.d.ts', { cwd: dist }).toSorted();
  const imports = files.map(
    (file) => `import './${file.replaceAll(path.sep, '/').replace(/\.d\.ts$/, '.ts')}';\n`,
  );
  appendFileSync(path.join(dist, 'index.d.ts'), imports.join(''));
}

/**
 * Copies the README of the package and the documentation for those who use it, without pictures. A link to a file that
 * is not packed becomes its text.
 */
function copyPages(folder: string): void {
  const docs = globSync(['docs/quickstart.md', 'docs/{guides,reference,explanation}/**/*.md'], { cwd: root });
  const pages = new Map([['server/README.md', 'README.md'], ...docs.map((page) => [page, page] as const)]);
  const packed = new Map([...pages, ['LICENSE', 'LICENSE']]);
  for (const [page, place] of pages) {
    const text = readFileSync(path.join(root, page), 'utf8').replaceAll(
      /!?\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]+)?\)/g,
      (_link, words: string, target: string, anchor = '') => {
        // The README of the package stands at its root; that of the checkout is another page.
        const linked = packed.get(path.posix.join(path.posix.dirname(page), target));
        return linked === undefined
          ? words
          : `[${words}](${path.posix.relative(path.posix.dirname(place), linked)}${anchor})`;
      },
    );
    mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
    writeFileSync(path.join(folder, place), text);
  }
}

/**
 * Fills the folder with the package.
 * @throws {Error} with the message of the compiler or the bundler; if the folder has other files than a package.
 */
function createPackage(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const foreign = readdirSync(folder).filter(
    (name) => ![...contents, 'package.json', 'README.md', 'LICENSE', 'node_modules'].includes(name),
  );
  if (foreign.length > 0)
    throw new Error(`${folder} has other files than a package, such as ${foreign[0]}. Name a new folder.`);
  for (const name of contents) rmSync(path.join(folder, name), { recursive: true, force: true });
  const compiler = path.join(
    path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin',
    'tsc',
  );
  const dist = path.join(folder, 'dist');
  runTool(compiler, '-p', path.join(server, 'tsconfig.build.json'), '--outDir', dist);
  referToProblems(dist);
  runTool(path.join(root, 'tools/bundle.mjs'), path.join(folder, 'bundle'));

  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(publishedManifest(), null, 2)}\n`);
  // The messages of modules must be next to the compiled files, which contain the name of their folder.
  for (const messages of globSync('src/**/messages', { cwd: server }))
    cpSync(path.join(server, messages), path.join(dist, path.relative('src', messages)), { recursive: true });
  for (const name of ['assets', 'bin', 'languages'])
    cpSync(path.join(server, name), path.join(folder, name), { recursive: true });
  copyPages(folder);
  cpSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
}

/** Size of the files of a folder in megabytes. */
function megabytes(folder: string): string {
  const bytes = globSync('**/*', { cwd: folder, exclude: ['node_modules'] })
    .map((file) => statSync(path.join(folder, file)))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
  return (bytes / 1_000_000).toFixed(1);
}

if (import.meta.main) {
  const [given] = process.argv.slice(2);
  if (given === undefined) {
    console.error('Usage: npm run package -- FOLDER');
    process.exitCode = 2;
  } else {
    const folder = path.resolve(process.env['INIT_CWD'] ?? '.', given);
    try {
      createPackage(folder);
      const { name, version } = readManifest();
      const archive = `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`;
      console.log(`Created ${name} ${version} in ${folder} (${megabytes(folder)} MB).`);
      console.log(
        `To use it in a project: npm pack ${folder}, then in the project: npm install <path of ${archive}>`,
      );
      console.log(`To publish it:          npm publish ${folder}`);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    }
  }
}

// A copy of the project's sources in a folder of its own, for tests that change them: packages and bundle are linked.
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Environment } from '../../src/config/read-options.ts';
import { hourMs } from '../../src/kit/clock.ts';

const root = path.resolve(import.meta.dirname, '../../..');
/** Path from the root of the project. */
export const listPath = 'server/src/app/modules.ts';

/** How a command ended. */
interface Ended {
  readonly isGreen: boolean;
  /** Standard output and standard error. */
  readonly output: string;
}

export interface ProjectCopy {
  readonly folder: string;
  read(file: string): string;
  write(file: string, text: string): void;
  /** Deletes a file or folder. */
  remove(file: string): void;
  /** Runs a program of node_modules/.bin, or `node`, in the copy. One that hangs is killed after an hour. */
  run(program: string, args: readonly string[], more?: Environment): Promise<Ended>;
  close(): void;
}

/** Copies every file of the checkout that Git does not ignore. The copy has the history of the checkout. */
export function copyProject(): ProjectCopy {
  const folder = mkdtempSync(path.join(tmpdir(), 'bienvenue-copy-'));
  chmodSync(folder, 0o755); // tests run commands as other users
  execFileSync('git', ['clone', '--quiet', '--shared', '--no-checkout', root, folder]);
  // Without its index, every file would count as changed.
  execFileSync('git', ['reset', '--quiet'], { cwd: folder, stdio: 'ignore' });
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const isCopied = (name: string): boolean =>
    name !== '' && !linkedFolders.includes(name) && existsSync(path.join(root, name));
  for (const file of listed.split('\0').filter(isCopied))
    cpSync(path.join(root, file), path.join(folder, file), { recursive: true });
  linkPackages(folder);
  for (const linked of linkedFolders)
    if (existsSync(path.join(root, linked))) symlinkSync(path.join(root, linked), path.join(folder, linked));
  const at = (file: string): string => path.join(folder, file);
  return {
    folder,
    read: (file) => readFileSync(at(file), 'utf8'),
    write: (file, text) => writeFileSync(at(file), text),
    remove: (file) => rmSync(at(file), { recursive: true }),
    run: (program, args, more = {}) => {
      const file = program === 'node' ? process.execPath : at(`node_modules/.bin/${program}`);
      const env = { ...process.env, ...outsideOfTests, ...more };
      return new Promise((resolve) => {
        const options = { cwd: folder, env, timeout: hourMs, maxBuffer: 2 ** 28 };
        execFile(file, args, options, (error, stdout, stderr) =>
          resolve({
            isGreen: error === null,
            output: `${stdout}${stderr}${error?.killed === true ? 'It took too long.' : ''}`,
          }),
        );
      });
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Git ignores these folders, but not the links to them in a copy that is copied. */
const linkedFolders: readonly string[] = ['server/node_modules', 'server/bundle'];

/** The tests of the copy have processes of their own, and a schema: they use the server of this run, not its templates. */
const outsideOfTests = {
  NODE_TEST_CONTEXT: undefined,
  TEST_TEMPLATE: undefined,
  TEST_TEMPLATE_FILE: undefined,
};

/** Links every package; the service's own name resolves to the copy. */
function linkPackages(folder: string): void {
  const own = '@bienvenue';
  const [from, to] = [path.join(root, 'node_modules'), path.join(folder, 'node_modules')];
  mkdirSync(path.join(to, own), { recursive: true });
  for (const name of readdirSync(from).filter((one) => one !== own))
    symlinkSync(path.join(from, name), path.join(to, name));
  symlinkSync(path.join(folder, 'server'), path.join(to, own, 'server'));
}

/** A feature in the list of modules: its folder, and the name by which it is imported. */
export interface ListedFeature {
  readonly feature: string;
  readonly name: string;
}

/** Returns the features of the list. */
export function featuresIn(list: string): ListedFeature[] {
  const line = /^import \{ (?<name>\w+) \} from '\.\.\/features\/(?<feature>[\w-]+)\/module\.ts';$/gm;
  return [...list.matchAll(line)].map(({ groups }) => ({
    feature: groups?.['feature'] ?? '',
    name: groups?.['name'] ?? '',
  }));
}

/** Returns the list without a feature. */
export function listWithout(list: string, { feature, name }: ListedFeature): string {
  return list
    .split('\n')
    .filter(
      (line) =>
        line !== `import { ${name} } from '../features/${feature}/module.ts';` && line !== `  ${name},`,
    )
    .join('\n');
}

/** Returns the list with a feature at its end. */
export function listWith(list: string, { feature, name }: ListedFeature): string {
  const line = `import { ${name} } from '../features/${feature}/module.ts';\n`;
  return list
    .replace('\nexport const modules', `${line}\nexport const modules`)
    .replace(/^\];$/m, `  ${name},\n];`);
}

// What the README shows is what happens: its tour with curl, its library examples, its options and its commands.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { readOptions } from '../src/config/read-options.ts';
import { startService, type ServiceProcess } from './support/service.ts';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'bienvenue-readme-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The code blocks of a language below a heading. */
function blocksOf(page: string, heading: string, language: string): string[] {
  const [, section = ''] = page.split(new RegExp(`^## ${heading}$`, 'm'));
  const [own = ''] = section.split(/^## /m);
  return [...own.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text,
  );
}

interface Step {
  readonly command: string;
  readonly output: string;
}

/** The commands of a transcript, each with what is shown below it. */
function stepsOf(transcript: string): Step[] {
  return transcript
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = '', ...output] = text.trimEnd().split('\n');
      return { command, output: output.join('\n') };
    });
}

const tokenPattern = /[0-9a-f-]{36}\.[a-z]{3}_[\w-]{43}/g;
const requestIdPattern = /"request_id":"[^"]+"/g;

/** An output without what is another one each time. */
function steady(output: string): string {
  return output
    .replaceAll(tokenPattern, '(token)')
    .replaceAll(requestIdPattern, '"request_id":"(id)"')
    .trim();
}

const hasCurl = spawnSync('curl', ['--version']).status === 0;

describe('the tour with curl', { skip: !hasCurl && 'There is no curl on this machine' }, () => {
  let service: ServiceProcess;
  before(async () => {
    service = await startService({ DATA_DIR: join(folder, 'tour') });
  });
  after(() => service.stop());

  test('is answered as it says', () => {
    const steps = blocksOf(readme, 'A tour with curl', 'console').flatMap(stepsOf);
    assert.ok(steps.length >= 8, 'it was read at all');
    /** Tokens of the text, and those that came in their place. */
    const tokens = new Map<string, string>();
    for (const { command, output } of steps) {
      assert.match(command, /^curl /);
      const own = command.replaceAll(tokenPattern, (token) => tokens.get(token) ?? token);
      const { stdout } = spawnSync(own.replaceAll('localhost:5000', new URL(service.baseUrl).host), {
        shell: true,
        cwd: folder,
        encoding: 'utf8',
      });
      assert.equal(steady(stdout), steady(output), command);
      const came = stdout.match(tokenPattern) ?? [];
      for (const [i, token] of (output.match(tokenPattern) ?? []).entries()) tokens.set(token, came[i] ?? '');
    }
  });
});

describe('the library', () => {
  const examples = blocksOf(readme, 'As a library', 'js');

  test('has examples', () => assert.ok(examples.length >= 2));

  for (const [i, example] of examples.entries()) {
    test(`does in example ${i + 1} what its comments say`, async () => {
      const text = example
        .replaceAll('./accounts.db', join(folder, `example-${i}.db`))
        .replaceAll('./data', join(folder, `example-${i}`));
      const run = promisify(execFile);
      const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', text], { cwd: root });
      const expected = [...example.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(
        ([, words = '']) => words,
      );
      assert.ok(expected.length > 0);
      assert.deepEqual(stdout.trimEnd().split('\n'), expected);
    });
  }
});

test('the options for going public are taken, and suffice', () => {
  const [text = ''] = blocksOf(readme, 'Going public', 'sh');
  const environment = Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll("'", ''),
    ]),
  );
  assert.ok(Object.keys(environment).length >= 4, 'they were read at all');
  assert.equal(readOptions(environment).isPublic, true);
});

test('the commands are those that there are', async () => {
  const [, section = ''] = readme.split(/^## Commands$/m);
  const [own = ''] = section.split(/^## /m);
  const told = [...own.matchAll(/^\| `bienvenue ([a-z -]+?)(?: [<[].*?)?` +\|/gm)].map(
    ([, name = '']) => name,
  );
  const found = await Promise.all(
    (await subcommandsOf()).map(async (name) => {
      const subs = await subcommandsOf(name);
      return subs.length === 0 ? [name] : subs.map((sub) => `${name} ${sub}`);
    }),
  );
  assert.deepEqual(told.toSorted(), found.flat().toSorted());
});

/** Names below `Commands:` in the help of a command. */
async function subcommandsOf(...command: string[]): Promise<string[]> {
  const program = join(root, 'server/src/main.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...command, '--help']);
  const [, commands = ''] = stdout.split('\nCommands:\n');
  return [...commands.matchAll(/^ {2}([a-z][a-z-]*)/gm)].flatMap(([, name = '']) =>
    name === 'help' ? [] : [name],
  );
}

test('what the pages point to is there', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'CHANGELOG.md',
    ...globSync('docs/**/*.md', { cwd: root }),
  ];
  const faults = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target = '']) => target);
    return targets
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page} points to ${target}`);
  });
  assert.deepEqual(faults, []);
});

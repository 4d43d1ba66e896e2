// Runs the commands and examples of the documentation. Each code block of the README, the quickstart, the guides and the
// library reference is run here, is run by a test that is named, or cannot run and is skipped with its reason.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { readOptions } from '../src/app/options.ts';
import { codeAt, decodeBase32 } from './support/authenticator-app.ts';
import { entriesOf, without } from './support/feature.ts';
import { blockOf, blocksOf, listPages, stepsOf, type CodeBlock } from './support/document.ts';
import { sendTo, sessionIdOf } from './support/request.ts';
import { runtimeEnvironment } from './support/runtime.ts';
import { startService, type ServiceProcess } from './support/service.ts';

const root = join(import.meta.dirname, '../..');
const main = join(root, 'server/src/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'bienvenue-guides-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Pages whose code blocks must run. */
const pages = listPages().filter(
  (page) =>
    page === 'README.md' ||
    page === 'server/README.md' ||
    page === 'docs/quickstart.md' ||
    page === 'docs/reference/library.md' ||
    page.startsWith('docs/guides/'),
);
const blocks = pages.flatMap(blocksOf);

const oidcCommands = 'server/src/features/oidc/test/command.system.ts';
const relyingParties = 'server/src/features/oidc/test/relying-parties.system.ts';
const browserApplication = 'server/src/features/oidc/test/browser-application.system.ts';
const apis = 'server/src/features/oidc/test/apis.system.ts';
const mcp = 'server/src/features/oidc/test/mcp.long.ts';
const authJs = 'server/src/features/oidc/test/auth-js.long.ts';

/** Blocks that another test runs, by the file of that test. */
const elsewhere: Readonly<Record<string, string>> = {
  'README.md # A tour with curl # console': 'server/test/readme.system.ts',
  'README.md # Integrate # js': 'server/test/integrate.system.ts',
  'docs/guides/signing-keys.md # Rotate # sh': 'server/test/journeys/commands.system.ts',
  'docs/guides/signing-keys.md # After a compromise # sh': 'server/test/journeys/commands.system.ts',
  'docs/guides/signing-keys.md # After a compromise # sh 2': 'server/test/journeys/commands.system.ts',
  'docs/reference/library.md # Fastify # js': 'server/test/package.system.ts',
  'docs/reference/library.md # Express # js': 'server/test/package.system.ts',
  'docs/reference/library.md # Node.js without a framework # js': 'server/test/package.system.ts',
  'docs/guides/recipes.md # Django # python': 'server/test/recipes.system.ts',
  'docs/guides/recipes.md # Django # python 2': 'server/test/recipes.system.ts',
  'docs/guides/recipes.md # Go # go': 'server/test/recipes.system.ts',
  'docs/guides/recipes.md # PHP # php': 'server/test/recipes.system.ts',
  'docs/guides/recipes.md # Next.js # js': 'server/test/recipes.long.ts',
  'docs/guides/recipes.md # Next.js # js 2': 'server/test/recipes.long.ts',
  'docs/guides/integrate.md # An application in Node.js # js': 'server/test/integrate.system.ts',
  'docs/guides/integrate.md # An application in Python # python': 'server/test/integrate.system.ts',
  ...entriesOf('oidc', {
    'docs/guides/add-an-application.md # Add an application # sh': oidcCommands,
    'docs/guides/add-an-application.md # Add an application # ': oidcCommands,
    'docs/guides/add-an-application.md # Applications without a server # sh': oidcCommands,
    'docs/guides/add-an-application.md # Your own applications # sh': oidcCommands,
    'docs/guides/add-an-application.md # Decide who may use it # sh': oidcCommands,
    'docs/guides/add-an-application.md # Decide who may use it # sh 2': oidcCommands,
    'docs/guides/add-an-application.md # Rotate a secret # sh': oidcCommands,
    'docs/guides/add-an-application.md # Programs and APIs # sh': oidcCommands,
    'docs/guides/add-an-application.md # Remove it # sh': oidcCommands,
    'docs/guides/openid-web.md # Express # sh': relyingParties,
    'docs/guides/openid-web.md # Express # js': relyingParties,
    'docs/guides/openid-web.md # Python # sh': relyingParties,
    'docs/guides/openid-web.md # Python # python': relyingParties,
    'docs/guides/openid-web.md # Django # sh': relyingParties,
    'docs/guides/openid-web.md # Django # python': relyingParties,
    'docs/guides/openid-web.md # Django # python 2': relyingParties,
    'docs/guides/openid-web.md # Next.js # sh': authJs,
    'docs/guides/openid-web.md # Next.js # js': authJs,
    'docs/guides/openid-web.md # Next.js # js 2': authJs,
    'docs/guides/openid-web.md # Next.js # js 3': authJs,
    'docs/guides/openid-web.md # Next.js # js 4': authJs,
    'docs/guides/openid-web.md # Next.js # js 5': authJs,
    'docs/guides/openid-apps.md # A browser application # sh': browserApplication,
    'docs/guides/openid-apps.md # A browser application # js': browserApplication,
    'docs/guides/openid-apps.md # A command-line tool # sh': apis,
    'docs/guides/openid-apps.md # A command-line tool # js': apis,
    'docs/guides/openid-apps.md # An API that verifies tokens # sh': apis,
    'docs/guides/openid-apps.md # An API that verifies tokens # js': apis,
    'docs/guides/openid-apps.md # An API that introspects tokens # sh': apis,
    'docs/guides/openid-apps.md # An API that introspects tokens # js': apis,
    'docs/guides/openid-apps.md # An MCP server # sh': mcp,
    'docs/guides/openid-apps.md # An MCP server # js': mcp,
    'docs/guides/openid-products.md # Apache # sh': relyingParties,
    'docs/guides/openid-products.md # Apache # apache': relyingParties,
    'docs/guides/openid.md # The settings of an application # sh': relyingParties,
    'docs/guides/openid-web.md # Go # sh': relyingParties,
    'docs/guides/openid-web.md # Go # go': relyingParties,
    'docs/guides/openid-web.md # Java # sh': relyingParties,
    'docs/guides/openid-products.md # oauth2-proxy # sh': relyingParties,
    'docs/guides/openid-products.md # Grafana # sh': relyingParties,
    'docs/guides/openid-products.md # Gitea # sh': relyingParties,
  }),
  ...entriesOf('forward-auth', {
    'docs/guides/integrate.md # A proxy that asks first # nginx': 'server/test/integrate.system.ts',
    'docs/guides/integrate.md # A proxy that asks first # caddyfile': 'server/test/integrate.system.ts',
    'docs/guides/integrate.md # Demand more than a session # nginx': 'server/test/integrate.system.ts',
  }),
};

/** Blocks that no test runs, with the reason. */
const reasons: Readonly<Record<string, string>> = {
  'README.md # Start # sh': 'The test suite is one of these commands; CI runs them on a fresh clone',
  'docs/quickstart.md # Quickstart # sh':
    'CI runs it on a fresh clone; tools/launcher.system.mjs tests the parts',
  'docs/guides/deploy.md # By hand # sh': 'It installs packages; tools/set-up.system.mjs tests the parts',
  'docs/guides/deploy.md # By hand # sh 2': 'It installs packages; tools/bundle.system.mjs tests the bundle',
  'docs/guides/deploy.md # With Docker # sh': 'It needs Docker and downloads a base image',
  'docs/guides/deploy.md # With Docker # sh 2': 'It needs Docker',
  'docs/guides/deploy.md # With systemd # sh': 'It needs the service of systemd in /opt/bienvenue',
  'docs/guides/deploy.md # Check the deployment # sh 2':
    'It needs a mail server; faults/doctor-mail.system.ts runs it against one',
  'docs/guides/deploy.md # Fail-over # sql':
    'It changes a whole server; faults/failover.system.ts starts one with these settings',
  'docs/guides/deploy.md # Going public # nginx':
    'It needs a certificate; integrate.system.ts runs nginx without TLS',
  'docs/guides/deploy.md # Going public # caddyfile': 'Caddy is not installed with the test tools',
  ...entriesOf('oidc', {
    'docs/guides/openid-web.md # Java # yaml': 'Spring is not installed with the test tools',
    'docs/guides/openid-web.md # Java # java': 'Spring is not installed with the test tools',
    'docs/guides/openid-products.md # oauth2-proxy # ini':
      'oauth2-proxy is not installed with the test tools',
    'docs/guides/openid-products.md # Grafana # ini': 'Grafana is not installed with the test tools',
    'docs/guides/openid-products.md # Gitea # ini': 'Gitea is not installed with the test tools',
    'docs/guides/openid-products.md # Gitea # ini 2': 'Gitea is not installed with the test tools',
  }),
  ...entriesOf('forward-auth', {
    'docs/guides/integrate.md # A proxy that asks first # js':
      'It reloads a page; features/forward-auth/routes.test.ts tests the replies to both requests',
    'docs/guides/integrate.md # Demand more than a session # http':
      'It is an excerpt of a reply that server/test/integrate.system.ts checks',
    'docs/guides/integrate.md # A proxy that asks first # yaml':
      'Traefik is not installed with the test tools',
  }),
  'docs/guides/integrate.md # Ask from a page on another host name # js':
    'It runs in a page on another host; integrate.system.ts sends the same request',
  ...entriesOf('passkey', {
    'docs/guides/passkeys.md # Sign in with a passkey # js':
      'It runs in a page; features/passkey/test/browser.system.ts sends the same requests from a browser',
  }),
  'docs/guides/passkeys.md # Require recent authentication # json':
    'It is an excerpt of a reply that server/test/journeys/data-rights.test.ts checks',
};

const account = { email: 'ada@example.org', password: 'nine newts under a green umbrella' };
let service: ServiceProcess;
let bin = '';
/** Folder of the data of the service; the documentation calls it /var/lib/bienvenue. */
const dataFolder = join(folder, 'data');

before(async () => {
  service = await startService({ DATA_DIR: dataFolder });
  await sendTo(service.baseUrl, { method: 'POST', path: '/users', fields: account });
  await sendTo(service.baseUrl, { method: 'POST', path: '/sessions', fields: account });
  bin = join(folder, 'bin');
  mkdirSync(bin);
  const program = join(bin, 'bienvenue');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(program, 0o755);
});
after(() => service.stop());

/** A command block with the paths and addresses of this test in place of those of the documentation. */
function adapted(text: string): string {
  return text
    .replaceAll(/https:\/\/accounts\.example\.org|http:\/\/localhost:5000/g, service.baseUrl)
    .replaceAll('/var/lib/bienvenue', dataFolder)
    .replaceAll('/backup/', `${folder}/`)
    .replaceAll('<email>', account.email)
    .replaceAll('node_modules/.bin/node', process.execPath);
}

/** Runs commands in a shell that stops at the first failure. Returns their output. */
async function runShell(text: string): Promise<string> {
  const { PATH = '' } = process.env;
  const { stdout } = await promisify(execFile)('/bin/sh', ['-e', '-c', adapted(text)], {
    cwd: folder,
    env: { ...runtimeEnvironment(), PATH: `${bin}:${PATH}`, DATA_DIR: dataFolder },
  });
  return stdout;
}

/** Options of a block of `NAME=value` lines; files in /etc/bienvenue are replaced by real ones. */
function optionsOf(text: string): Record<string, string> {
  const etc = join(folder, 'etc');
  mkdirSync(etc, { recursive: true });
  writeFileSync(join(etc, 'logo.png'), png);
  for (const name of ['logo-dark.svg', 'icon.png'])
    writeFileSync(join(etc, name), name.endsWith('.svg') ? '<svg xmlns="http://www.w3.org/2000/svg"/>' : png);
  brandFolders(etc);
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll("'", '').replaceAll('/etc/bienvenue', etc),
    ]),
  );
}

/** The theme and the texts that the guide to pages shows. */
function brandFolders(etc: string): { theme: string; languages: string } {
  const [theme, languages] = [join(etc, 'theme'), join(etc, 'languages')];
  mkdirSync(join(theme, 'fonts'), { recursive: true });
  mkdirSync(languages, { recursive: true });
  writeFileSync(join(theme, 'fonts/inter.woff2'), 'wOF2');
  writeFileSync(join(theme, 'theme.css'), blockOf('docs/guides/pages.md', 'Theme', 'css'));
  writeFileSync(join(languages, 'en.json'), blockOf('docs/guides/pages.md', 'Texts and languages', 'json'));
  return { theme, languages };
}

/** The smallest PNG: a single pixel. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=',
  'base64',
);

/** Runs a program of the library twice, and compares its output with the comments behind `console.log`. */
async function runExample(text: string): Promise<void> {
  const own = text
    .replaceAll('./accounts.db', join(mkdtempSync(join(folder, 'example-')), 'accounts.db'))
    .replaceAll('./data', mkdtempSync(join(folder, 'example-')));
  const expected = [...text.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, words = '']) => words);
  assert.ok(expected.length > 0, 'the example prints something');
  for (const time of ['the first time', 'the second time']) {
    const run = (): Promise<{ stdout: string }> =>
      promisify(execFile)(process.execPath, ['--input-type=module', '--eval', own], { cwd: root }).catch(
        (error: { stderr: string }) => {
          // As a user would, next to busy programs: the examples can be run again.
          if (error.stderr.includes("code: 'too_busy'")) return run();
          throw error;
        },
      );
    const { stdout } = await run();
    assert.deepEqual(stdout.trimEnd().split('\n'), expected, time);
  }
}

const tokenPattern = /[0-9a-f-]{36}\.[a-z]{3}_[\w-]{43}/g;

/** An output without the parts that differ each time. */
function steady(output: string): string {
  return output
    .replaceAll(tokenPattern, '(token)')
    .replaceAll(/"request_id":"[^"]+"/g, '"request_id":"(id)"')
    .trim();
}

/** Tokens of the printed transcripts, and the real ones of this run. */
const tokens = new Map<string, string>();

/** Runs a transcript, and compares each output with the printed one. */
async function runTranscript(text: string): Promise<void> {
  for (const { command, output } of stepsOf(text)) {
    const own = command.replaceAll(tokenPattern, (token) => tokens.get(token) ?? token);
    const stdout = await runShell(own.replaceAll('localhost:5000', new URL(service.baseUrl).host));
    assert.equal(steady(stdout), steady(output), command);
    const found = stdout.match(tokenPattern) ?? [];
    for (const [i, token] of (output.match(tokenPattern) ?? []).entries()) tokens.set(token, found[i] ?? '');
  }
}

/** Registers a user with an authenticator app. Returns the seed of the app. */
async function addUserWithTotp(email: string): Promise<Buffer> {
  const fields = { email, password: account.password };
  await sendTo(service.baseUrl, { method: 'POST', path: '/users', fields });
  const login = await sendTo(service.baseUrl, { method: 'POST', path: '/sessions', fields });
  const headers = { cookie: `session_id=${sessionIdOf(login) ?? ''}` };
  const started = await sendTo(service.baseUrl, { method: 'POST', path: '/profile/totp', headers });
  const { id, secret } = JSON.parse(started.text) as Record<'id' | 'secret', string>; // our own reply
  const seed = decodeBase32(secret);
  const code = codeAt(seed, Date.now());
  const confirmed = await sendTo(service.baseUrl, {
    method: 'PUT',
    path: '/profile/totp',
    headers,
    fields: { id, code },
  });
  assert.equal(confirmed.status, 200, confirmed.text);
  return seed;
}

/** Runs the login with a second factor: the printed TOTP code and password are replaced by working ones. */
async function runSecondFactor(text: string): Promise<void> {
  const email = 'grace@example.org';
  const seed = await addUserWithTotp(email);
  const commands = text
    .replaceAll(/^\{.*\n/gm, '')
    .replaceAll('ada@example.org', email)
    .replaceAll('password=…', `password='${account.password}'`)
    .replaceAll('proof=492039', `proof=${codeAt(seed, Date.now() + 30_000)}`);
  const messages = (output: string): string[] =>
    [...output.matchAll(/"message":"([^"]+)"/g)].map(([, message = '']) => message);
  assert.deepEqual(messages(await runShell(commands)), messages(text));
}

/** Runs the removal of second factors for a user who has one. */
async function runFactorReset(text: string): Promise<void> {
  const email = 'lost-phone@example.org';
  await addUserWithTotp(email);
  const commands = text.replaceAll('<email>', email);
  assert.match(await runShell(commands), /totp/i);
  await assert.rejects(runShell(commands), /no second factor/, 'they are removed');
}

function assertOptions(text: string): void {
  const options = optionsOf(text);
  assert.ok(Object.keys(options).length > 0, 'the block has options');
  assert.doesNotThrow(() => readOptions(options));
}

async function runsWith(text: string, expected: RegExp): Promise<void> {
  assert.match(await runShell(text), expected);
}

/** How each block is run. */
const runs: Readonly<Record<string, (text: string) => Promise<void> | void>> = {
  'docs/quickstart.md # Use the API # console': runTranscript,
  'docs/quickstart.md # Use the API # console 2': runTranscript,
  'docs/quickstart.md # Run the contract # sh': async (text) => {
    const journey = join(root, 'server/test/journeys/contract-journey.ts');
    assert.equal(
      await runShell(text.replace('npm run journey --', `'${process.execPath}' '${journey}'`)),
      '',
    );
  },
  'docs/reference/library.md # Accounts without HTTP # js': runExample,
  'server/README.md # Bienvenue # js': runExample,
  'docs/guides/migrate.md # Move in from another product # js': runExample,
  'docs/guides/deploy.md # Deploy # sh': (text) => {
    assert.equal(readOptions(optionsOf(text)).isPublic, true);
  },
  'docs/guides/deploy.md # Check the deployment # sh': (text) =>
    runsWith(text.replace('bienvenue doctor', 'bienvenue doctor || true'), /"status":/),
  'docs/guides/deploy.md # PostgreSQL # sh': assertOptions,
  'docs/guides/deploy.md # Several servers # sh': assertOptions,
  'docs/guides/scale-out.md # Scale out # sh': assertOptions,
  'docs/guides/email.md # Email # sh': assertOptions,
  'docs/guides/email.md # Appearance # sh': async (text) => {
    const logo = join(folder, 'logo.png');
    writeFileSync(logo, png);
    const program = `'${process.execPath}' '${join(root, 'tools/mails.ts')}'`;
    const target = join(folder, 'mails');
    await runShell(text.replace('npm run mails --', program).replace('FOLDER', target).replace('LOGO', logo));
    assert.ok(existsSync(join(target, 'reset_password.en.html')));
  },
  'docs/guides/pages.md # Brand the pages # sh': assertOptions,
  'docs/guides/pages.md # Theme # css': () => {
    const { themeDir } = readOptions({ THEME_DIR: brandFolders(folder).theme }).options;
    assert.equal(themeDir?.files.length, 2);
  },
  'docs/guides/pages.md # Texts and languages # json': (text) => {
    const { languagesDir } = readOptions({ LANGUAGES_DIR: brandFolders(folder).languages }).options;
    assert.equal(languagesDir?.catalogs.get('en')?.size, Object.keys(JSON.parse(text) as object).length);
  },
  ...entriesOf('totp', { 'docs/guides/passkeys.md # Sign in with a code # sh': runSecondFactor }),
  'docs/guides/backup.md # Back up # sh': async (text) => {
    await runShell(text);
    assert.equal(globSync('bienvenue-????-??-??.db', { cwd: folder }).length, 1);
  },
  'docs/guides/backup.md # Back up # sh 2': async (text) => {
    await runShell(text);
    assert.ok(existsSync(join(folder, 'bienvenue.db')));
  },
  'docs/guides/monitor.md # Health # sh': (text) => runsWith(text, /200 OK[^]*200 OK/),
  'docs/guides/monitor.md # The audit log # sh': (text) => runsWith(text, /authn_login_success/),
  'docs/guides/integrate.md # Details of a user # sh': (text) =>
    runsWith(text, /external_id +crm-17[^]*metadata +\{"plan":"pro"\}/),
  'docs/guides/locked-out.md # Help a user who is locked out # sh': (text) => runsWith(text, /What to do: /),
  'docs/guides/locked-out.md # Reset the second factors # sh': runFactorReset,
  'docs/guides/locked-out.md # The correct password is rejected # sh': (text) =>
    runsWith(text, /ada@example\.org/),
};

test('each code block of the guides is run, or its reason is listed', () => {
  const listed = [...Object.keys(elsewhere), ...Object.keys(reasons), ...Object.keys(runs)];
  assert.deepEqual(
    listed.filter((key, i) => listed.indexOf(key) !== i),
    [],
    'listed twice',
  );
  assert.deepEqual(blocks.map(({ key }) => key).toSorted(), listed.toSorted());
});

test('each block that another test runs names that test, which reads the page', () => {
  for (const [key, file] of Object.entries(elsewhere)) {
    const [page = ''] = key.split(' # ');
    assert.ok(readFileSync(join(root, file), 'utf8').includes(page), `${file} reads ${page}`);
  }
});

/** Features that users of a block have, which is about something else. */
const featuresOf: Readonly<Record<string, string>> = {
  'docs/guides/locked-out.md # Reset the second factors # sh': 'totp',
};

/** A reason to skip a block on this machine, or in this project. */
function missing({ key, text }: CodeBlock): string | undefined {
  const feature = featuresOf[key];
  const absent = feature !== undefined && without(feature);
  if (absent !== false) return absent;
  for (const program of ['curl', 'sqlite3'])
    if (new RegExp(`^(?:\\$ )?${program} `, 'm').test(text) && spawnSync(program, ['--version']).status !== 0)
      return `There is no ${program} on this machine`;
  return undefined;
}

describe('the documentation', () => {
  for (const block of blocks) {
    const run = runs[block.key];
    const reason = reasons[block.key] ?? (run && missing(block));
    if (reason !== undefined) test(block.key, { skip: reason }, () => undefined);
    else if (run !== undefined) test(`runs: ${block.key}`, () => run(block.text));
  }
});

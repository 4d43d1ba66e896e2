// Runs the commands that register clients and resources.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createProgram } from '../../../cli/cli.ts';
import { requireEmailAddress } from '../../../user/email-address.ts';
import { blocksOf } from '../../../../test/support/document.ts';
import { CommandHost, withoutPlace, type Outcome } from '../../../../test/support/program.ts';
import { memberOf } from '../../../../test/support/request.ts';
import { createData, temporaryFolder } from '../../../../test/support/running-service.ts';
import { clientFields } from '../client/client-fields.ts';
import { resourceFields } from '../client/resource.ts';
import { hasSecretForm } from '../client/secret.ts';
import { readClientsFile } from '../registry/clients-file.ts';
import { clientFlags, resourceFlags } from '../registry/flags.ts';

const host = new CommandHost();
const ends: (() => Promise<void>)[] = [];
/** The commands that these tests ran. */
const ran = new Set<string>();
let environment: Readonly<Record<string, string>>;
before(async () => {
  const folder = await temporaryFolder({ after: (work) => void ends.push(work) });
  environment = { DATA_DIR: folder, PORT: '5999' };
  await createData(environment);
});
after(async () => {
  host.close();
  for (const end of ends) await end();
});

async function run(line: string, more: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const words = line.split(' ');
  ran.add(words.slice(0, 2).join(' '));
  const outcome = await host.run(words, { environment: { ...environment, ...more } });
  return { ...outcome, stderr: withoutPlace(outcome.stderr) };
}

async function succeeds(line: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const { code, stdout, stderr } = await run(line, more);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, line);
  return stdout;
}

async function json(line: string, more: Readonly<Record<string, string>> = {}): Promise<unknown> {
  return JSON.parse(await succeeds(`${line} --json`, more));
}

async function fails(
  line: string,
  code: number,
  says: RegExp,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const outcome = await run(line, more);
  assert.deepEqual([outcome.code, outcome.stdout], [code, ''], outcome.stderr);
  assert.match(outcome.stderr, says);
  assert.doesNotMatch(outcome.stderr, /^\s+at .*\.ts:\d+/m, 'a failure has no stack');
}

const callback = '--redirect-uri https://wiki.example.org/callback';

test('client add prints the three settings of an application, and the secret once', async () => {
  const words = await succeeds(`client add --id wiki --name Wiki ${callback}`);
  const form =
    /^Client wiki was added\. The settings of the application:\n\nissuer +http:\/\/localhost:5999\nclient id +wiki\nclient secret +(?<secret>\S+)\n\nThe secret is shown only now\.\n$/;
  const { secret = '' } = form.exec(words)?.groups ?? assert.fail(words);
  assert.equal(hasSecretForm(secret), true);
  const shown = await succeeds('client show wiki');
  assert.match(shown, /^id +wiki$.*^redirect_uris +https:\/\/wiki\.example\.org\/callback$/ms);
  assert.match(shown, /^secret +since 20\d\d-\d\d-\d\d \d\d:\d\d UTC$/m);
  for (const text of [shown, JSON.stringify(await json('client show wiki')), await succeeds('client list')])
    assert.ok(!text.includes(secret));
  const open = {
    PUBLIC_URL: 'https://accounts.example.org',
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'a@b.example',
  };
  const added = await json(
    'client add --name Shop --kind browser --redirect-uri http://localhost:3000/',
    open,
  );
  assert.deepEqual(
    ['issuer', 'client_secret', 'token_endpoint_auth_method'].map((name) => memberOf(added, name)),
    ['https://accounts.example.org', undefined, 'none'],
  );
  assert.match(String(memberOf(added, 'client_id')), /^[0-9a-f]{20}$/);
  await fails(`client add --id wiki --name Wiki ${callback}`, 1, /^id is taken: there is a client wiki\n$/);
});

test('client add has an option for each field', async () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const file = join(environment['DATA_DIR'] ?? '', 'jwks.json');
  writeFileSync(file, JSON.stringify({ keys: [key] }));
  await json('resource add https://full.example.org/ --name Full');
  const options = {
    '--name': 'Full',
    '--kind': 'web',
    '--redirect-uri': 'https://full.example.org/callback',
    '--post-logout-redirect-uri': 'https://full.example.org/',
    '--backchannel-logout-uri': 'https://full.example.org/logout',
    '--backchannel-logout-session-required': 'false',
    '--initiate-login-uri': 'https://full.example.org/login',
    '--scope': 'openid',
    '--grant-type': 'authorization_code --grant-type refresh_token',
    '--device': 'true',
    '--auth-method': 'private_key_jwt',
    '--jwks': file,
    '--id-token-alg': 'ES256',
    '--first-party': '',
    '--allowed-email-domain': 'example.org',
    '--allowed-user': 'ann@example.org',
    '--allowed-group': 'staff',
    '--skip-pkce': 'true',
    '--require-par': 'true',
    '--accept-token-endpoint-audience': 'true',
    '--resource-of': 'https://full.example.org/',
    '--access-token-seconds': '300',
    '--id-token-seconds': '300',
    '--refresh-idle-days': '7',
    '--refresh-max-days': '14',
    '--refresh-grace-seconds': '0',
  };
  assert.deepEqual(
    Object.keys(options),
    Object.values(clientFlags).map(([flag]) => flag.split(' ')[0]),
  );
  const line = Object.entries(options).map((each) => each.join(' ').trim());
  const added = await json(`client add --id full ${line.join(' ')}`);
  assert.deepEqual(added, {
    issuer: 'http://localhost:5999',
    client_id: 'full',
    id: 'full',
    name: 'Full',
    kind: 'web',
    redirect_uris: ['https://full.example.org/callback'],
    post_logout_redirect_uris: ['https://full.example.org/'],
    backchannel_logout_uri: 'https://full.example.org/logout',
    backchannel_logout_session_required: false,
    initiate_login_uri: 'https://full.example.org/login',
    scopes: ['openid'],
    grant_types: ['authorization_code', 'refresh_token', 'device_code'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key] },
    id_token_signed_response_alg: 'ES256',
    first_party: true,
    allowed_email_domains: ['example.org'],
    allowed_users: ['ann@example.org'],
    allowed_groups: ['staff'],
    skip_pkce: true,
    require_pushed_authorization_requests: true,
    accept_token_endpoint_audience: true,
    resource_of: ['https://full.example.org/'],
    access_token_seconds: 300,
    id_token_seconds: 300,
    refresh_idle_days: 7,
    refresh_max_days: 14,
    refresh_grace_seconds: 0,
  });
});

test('client set changes what is given, and resets what is unset', async () => {
  await json(`client add --id set --name Set --first-party ${callback}`);
  const changed = await json(
    'client set set --redirect-uri https://a.example.org/ --redirect-uri https://b.example.org/ --unset first_party',
  );
  assert.deepEqual(memberOf(changed, 'redirect_uris'), ['https://a.example.org/', 'https://b.example.org/']);
  assert.equal(memberOf(changed, 'first_party'), false);
  assert.match(await succeeds('client set set --name Other'), /^Client set was changed\. /);
  await fails(
    'client set set --redirect-uri http://a.example.org/',
    2,
    /redirect_uris has "http:.*must be https/,
  );
  await fails('client set nobody --name X', 1, /^No client has the id nobody\n$/);
  await fails('client set set --unset firstparty', 2, /It must be one of name, kind, /);
  await fails('client set set --first-party yes', 2, /It must be true or false\./);
  await fails('client set set --id-token-seconds many', 2, /whole number/);
  await fails(
    'client set set --jwks /nowhere/jwks.json',
    2,
    /^The file \/nowhere\/jwks\.json cannot be read: it does not exist\n$/,
  );
});

test('every fault of a new client is reported, one in a line', async () => {
  await fails(
    'client add --kind spa --redirect-uri http://*.example.org --redirect-uri x',
    2,
    /^The client is invalid:\n {2}- kind must [^\n]+\n {2}- name is missing\n {2}- redirect_uris has [^\n]+\n {2}- redirect_uris has [^\n]+\n$/,
  );
});

test('client rotate-secret prints a new secret, and how long the earlier one is accepted', async () => {
  await json(`client add --id rotated --name Rotated ${callback}`);
  const words = await succeeds('client rotate-secret rotated');
  assert.match(
    words,
    /^client secret {2}bvs_\S+\n\nIt is shown only now\. The secret before it is accepted until 20/,
  );
  const now = await json('client rotate-secret rotated --overlap-hours 0');
  assert.equal(memberOf(now, 'earlier_expires_at'), null);
  assert.equal((memberOf(await json('client show rotated'), 'secrets') as unknown[]).length, 1);
  await fails('client rotate-secret rotated --overlap-hours 721', 2, /from 0 to 720/);
  await fails('client rotate-secret nobody', 1, /^No client has the id nobody\n$/);
});

test('client remove removes it', async () => {
  await json(`client add --id gone --name Gone ${callback}`);
  assert.equal(await succeeds('client remove gone'), 'Client gone was removed\n');
  await fails('client show gone', 1, /^No client has the id gone\n$/);
  await fails('client remove gone', 1, /^No client has the id gone\n$/);
});

test('client apply says what it changes, and what it would change', async () => {
  const file = join(environment['DATA_DIR'] ?? '', 'clients.toml');
  const text =
    '[client.filed]\nname = "Filed"\nkind = "browser"\nredirect_uris = ["https://filed.example.org/"]\n';
  writeFileSync(file, text);
  const more = { CLIENTS_FILE: file };
  assert.match(
    await succeeds('client apply --dry-run', more),
    /^The file would make these changes:\n.*\nadd +client +filed\n$/,
  );
  await fails('client show filed', 1, /No client/);
  const changes = [{ action: 'add', kind: 'client', id: 'filed', fields: [] }];
  assert.deepEqual(await json('client apply', more), changes);
  assert.match(await succeeds('client apply', more), /^Nothing changes/);
  await fails('client set filed --name X', 1, /^The clients file manages the client filed/, more);
  assert.match(await succeeds('client list', more), /^filed +Filed +browser +- +file:clients$/m);
  writeFileSync(file, `${text}[client.other]\nname = "Other"\n`);
  const fault = /CLIENTS_FILE: \S+clients\.toml: \[client\.other\] redirect_uris is missing/;
  await fails('client apply', 2, fault, more);
  const doctor = await run('doctor', more);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, fault);
  await fails('client set wiki', 2, /^Give at least one option/);
  await fails('resource set https://api.example.org', 2, /^Give at least one option/);
  await fails('client apply', 2, /^CLIENTS_FILE is not set/);
});

test('resources are added, changed, listed and removed', async () => {
  const api = 'https://api.example.org/';
  assert.equal(
    await succeeds(`resource add ${api} --name Orders --scope a --scope b`),
    `Resource ${api} was added\n`,
  );
  await fails(`resource add ${api} --name Orders`, 1, /^identifier is taken/);
  const changed = await json(`resource set ${api} --token-format jwt --alg RS256 --token-seconds 60`);
  assert.deepEqual(changed, {
    identifier: api,
    name: 'Orders',
    scopes: ['a', 'b'],
    token_format: 'jwt',
    alg: 'RS256',
    token_seconds: 60,
  });
  assert.match(
    await succeeds('resource list'),
    /^https:\/\/api\.example\.org\/ +Orders +jwt +60 s +- +a b$/m,
  );
  await fails(`resource set ${api} --token-seconds 301`, 2, /token_seconds must be 300 at most/);
  await fails(`resource set ${api} --token-format opaque`, 2, /alg has no effect/);
  await fails(`resource set ${api} --unset identifier`, 2, /must be one of name, scopes, token_format/);
  assert.deepEqual(await json(`resource set ${api} --token-format opaque --unset alg --unset scopes`), {
    identifier: api,
    name: 'Orders',
    token_format: 'opaque',
    token_seconds: 60,
  });
  await json(`resource remove ${api}`);
  await fails(`resource remove ${api}`, 1, /^No resource has the identifier/);
  assert.deepEqual(Object.keys(resourceFlags), Object.keys(resourceFields));
  assert.deepEqual(Object.keys(clientFlags), Object.keys(clientFields));
});

test('the commands of the guide work in their order, and print what it shows', async () => {
  const blocks = blocksOf('docs/guides/add-an-application.md');
  const lines = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.trim().split('\n'));
  assert.equal(lines.length, 12);
  const guide = {
    DATA_DIR: await temporaryFolder({ after: (work) => void ends.push(work) }),
    PUBLIC_URL: 'https://accounts.example.org',
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'accounts@example.org',
  };
  await createData(guide, async ({ accounts }) => {
    await accounts.register(requireEmailAddress('ann@example.com'), 'nine newts under a green umbrella', {
      actor: 'operator',
    });
  });
  const printed: string[] = [];
  for (const line of lines) {
    const words = [...line.matchAll(/(["'])(.+?)\1|(\S+)/g)].map(
      ([, , quoted, plain]) => quoted ?? plain ?? '',
    );
    const { code, stdout, stderr } = await host.run(words.slice(1), { environment: guide });
    assert.deepEqual([code, withoutPlace(stderr)], [0, ''], line);
    printed.push(stdout.replace(/bvs_\w+/, 'bvs_…'));
  }
  assert.equal(printed[0], blocks.find(({ language }) => language === '')?.text);
});

test('the file of the reference is valid', async () => {
  const folder = await temporaryFolder({ after: (work) => void ends.push(work) });
  const toml = blocksOf('docs/reference/clients.md').find(({ language }) => language === 'toml');
  writeFileSync(join(folder, 'clients.toml'), toml?.text ?? '');
  writeFileSync(join(folder, 'wiki.secret'), randomBytes(32).toString('hex'));
  const { faults, clients } = readClientsFile(join(folder, 'clients.toml'));
  assert.deepEqual([faults, clients.length], [[], 2]);
});

test('every command was run above, prints JSON, and is loaded by its name only', async () => {
  const program = await createProgram({ environment: {} });
  const own = program.commands.filter((command) => ['client', 'resource'].includes(command.name()));
  const all = own.flatMap((command) => command.commands.map((sub) => [command, sub] as const));
  assert.equal(all.length, 11);
  for (const [command, sub] of all) {
    assert.ok(ran.has(`${command.name()} ${sub.name()}`), sub.name());
    assert.ok(sub.options.some(({ long }) => long === '--json'));
  }
  const { commands } = await createProgram({ environment: {} }, 'config');
  assert.deepEqual(
    commands.map((command) => command.name()),
    ['config'],
  );
});

// Reads clients files with every kind of fault, and applies them: add, change, remove, and refuse what is not theirs.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { minuteMs } from '../../../kit/clock.ts';
import { ConfigurationFault } from '../../../config/read-options.ts';
import { OptionFault } from '../../../config/parse.ts';
import { readOptions } from '../../../app/options.ts';
import type { Database } from '../../../db/database.ts';
import { CommandError } from '../../../operation/refusal.ts';
import { everythingIn } from '../../../../test/support/contents.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { serviceOn, testService, type TestService } from '../../../../test/support/service.ts';
import { requireClient } from '../client/registration.ts';
import { digestOfSecret, isSecret } from '../client/secret.ts';
import { findClient, listClients, listLiveSecrets, listResources } from '../client/store.ts';
import { Clients } from './clients.ts';
import { readClientsFile } from './clients-file.ts';
import type { FileChange } from './change.ts';
import { applyFile } from './file-apply.ts';

const folder = mkdtempSync(join(tmpdir(), 'bienvenue-clients-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'clients.toml');

const wikiSecret = 'Zx8mK2pQ7vR4tY9wB3nD6fH1jL5sA0cE8gU2iO4xM7k';
const hex = (secret: string): string => Buffer.from(digestOfSecret(secret)).toString('hex');
writeFileSync(join(folder, 'wiki.secret'), `${wikiSecret}\n`);

/** Writes the file, and reads it. */
function fileOf(text: string): ReturnType<typeof readClientsFile> {
  writeFileSync(path, text);
  return readClientsFile(path);
}

const api = `[resource."https://api.example.org/"]
name = "Orders"
scopes = ["orders:read"]
`;
const wiki = `[client.wiki]
name = "Wiki"
redirect_uris = ["https://wiki.example.org/callback"]
secret_file = "wiki.secret"
resource_of = ["https://api.example.org/"]
`;
const spa = `[client.spa]
name = "Shop"
kind = "browser"
redirect_uris = ["https://shop.example.org/"]
`;

test('a file names clients, resources and secrets', () => {
  const { faults, owner, clients, resources } = fileOf(`name = "production"\n${api}${wiki}${spa}`);
  assert.deepEqual(faults, []);
  assert.equal(owner, 'file:production');
  assert.deepEqual(
    clients.map(({ client, secrets }) => [client.id, client.kind, secrets]),
    [
      ['wiki', 'web', [digestOfSecret(wikiSecret)]],
      ['spa', 'browser', []],
    ],
  );
  assert.deepEqual(
    resources.map(({ identifier }) => identifier),
    ['https://api.example.org/'],
  );
});

test('all faults of a file are reported together, with their table and field', () => {
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'weak.secret'), 'hunter2');
  writeFileSync(join(folder, 'repeated.secret'), 'a'.repeat(64));
  writeFileSync(join(folder, 'two.secret'), `${wikiSecret} ${wikiSecret}`);
  const { faults } = fileOf(`
name = "Production"
version = 2
[client.Wiki]
name = "Wiki"
redirect_uris = ["http://wiki.example.org/", "https://*.example.org/"]
secret = "${wikiSecret}"
secret_sha256 = ["${wikiSecret}"]
[client."a.b"]
name = "B"
redirect_uris = ["https://b.example.org/"]
[client.weak]
name = "W"
redirect_uris = ["https://b.example.org/"]
secret_file = "weak.secret"
[client.repeated]
name = "W"
redirect_uris = ["https://b.example.org/"]
secret_file = "repeated.secret"
[client.two]
name = "W"
redirect_uris = ["https://b.example.org/"]
secret_file = "two.secret"
[client.absent]
name = "W"
redirect_uris = ["https://b.example.org/"]
secret_file = "sub"
[client.spa]
name = "Shop"
kind = "browser"
redirect_uris = ["https://shop.example.org/"]
secret_file = "wiki.secret"
[client.many]
name = "M"
redirect_uris = ["https://m.example.org/"]
secret_file = "wiki.secret"
secret_sha256 = ["${hex('a')}", "${hex('b')}"]
resource_of = ["https://other.example.org/"]
[resource.api]
name = "Orders"
token_format = "JWT"
`);
  const begins = [
    'version is not known',
    'name must have',
    '[resource."api"] identifier is "api"',
    '[resource."api"] token_format must be one of opaque, jwt',
    '[client.Wiki] secret must not be in this file',
    '[client.Wiki] secret_sha256 must be a list',
    '[client.Wiki] id must have',
    '[client.Wiki] redirect_uris has "http://wiki.example.org/", which must be https',
    '[client.Wiki] redirect_uris has "https://*.example.org/", which contains a wildcard',
    '[client."a.b"] secret_sha256 is missing',
    '[client.weak] secret_file must hold one secret',
    '[client.repeated] secret_file must hold one secret',
    '[client.two] secret_file must hold one secret',
    '[client.absent] secret_file must be the path',
    '[client.spa] secret_file has no effect',
    '[client.many] secret_sha256 and secret_file must not have more than 2',
    '[client.many] resource_of has https://other.example.org/, which the file does not declare',
  ];
  assert.deepEqual(
    faults.map((fault, i) => (fault.startsWith(begins[i] ?? '?') ? begins[i] : fault)),
    begins,
  );
  assert.ok(!faults.join().includes(wikiSecret), 'a secret is not repeated');
  assert.throws(
    () => readOptions({ CLIENTS_FILE: path }),
    (error) => {
      assert.ok(error instanceof ConfigurationFault);
      assert.deepEqual(
        error.faults,
        faults.map((fault) => `CLIENTS_FILE: ${path}: ${fault}`),
      );
      return true;
    },
  );
});

test('a common mistake is answered with what to write instead', () => {
  const client = (more: string, id = 'wiki'): string =>
    `[client.${id}]\nname = "Wiki"\nredirect_uris = ["https://wiki.example.org/callback"]\n${more}\n`;
  for (const name of ['secret', 'client_secret']) {
    const { faults } = fileOf(client(`${name} = "${wikiSecret}"`));
    assert.equal(faults.length, 1);
    assert.match(faults.join(), new RegExp(`${name} must not be in this file: .*secret_file.*secret_sha256`));
    assert.ok(!faults.join().includes(wikiSecret));
  }
  const { faults } = fileOf(client('secret_file = "wiki.secret"', 'my.wiki'));
  assert.deepEqual(faults, [
    '[client.my] wiki is a table: an id with a dot needs quotation marks, as in [client."my.wiki"]',
  ]);
  assert.deepEqual(fileOf(client('secret_file = "wiki.secret"', '"my.wiki"')).faults, []);
  // HTTP Basic authentication has a secret in percent-encoding, which many applications forget (RFC 6749 §2.3.1).
  for (const character of ['+', '%']) {
    writeFileSync(join(folder, 'encoded.secret'), `${wikiSecret}${character}`);
    assert.match(fileOf(client('secret_file = "encoded.secret"')).faults.join(), /must not contain \+ or %/);
  }
  writeFileSync(join(folder, 'base64.secret'), `${wikiSecret}/Zx8==`);
  assert.deepEqual(fileOf(client('secret_file = "base64.secret"')).faults, []);
});

test('a file that is no TOML is refused with its line', () => {
  const refused = (text: string, says: RegExp): void =>
    assert.throws(
      () => fileOf(text),
      (error) => error instanceof OptionFault && says.test(error.message),
    );
  refused('[client.wiki]\nname = "Wiki\n', /clients\.toml is invalid: line 2, column \d+: /);
  refused('[client.wiki]\n[client.wiki]\n', /is invalid: line \d/);
  for (const text of ['client = 1', '[[client]]\nname = "x"', '[client]\nwiki = "x"'])
    assert.match(fileOf(text).faults.join('\n'), /^client must have tables only: \[client\.wiki\]$/);
  assert.throws(() => readClientsFile(folder), OptionFault);
});

onEachEngine('a clients file', (engine) => {
  let service: TestService;
  let db: Database;
  before(async () => {
    service = await testService(engine);
    ({ db } = service.core.context);
  });
  beforeEach(async () => {
    for (const table of ['clients', 'resources', 'clients_files', 'replaced_files'])
      await db.execute(`delete from oidc_${table}`);
    await db.execute('delete from audit_events');
  });
  after(() => service.close());

  const apply = (text: string, isForced = false): Promise<readonly FileChange[]> =>
    applyFile(service.core.context, fileOf(text), { source: { actor: 'service' }, isForced });
  const tryOut = (text: string): Promise<readonly FileChange[]> =>
    applyFile(service.core.context, fileOf(text), {
      source: { actor: 'service' },
      isForced: true,
      isDryRun: true,
    });
  const inWords = (changes: readonly FileChange[]): string[] =>
    changes.map(({ action, kind, id, fields }) => [action, kind, id, fields.join()].join(' ').trim());
  const ids = async (): Promise<string[]> => (await listClients(db)).map(({ id }) => id);
  const record = async (): Promise<string[]> =>
    (await service.core.audit.list({ limit: 100 }))
      .map(({ reason, actor, target }) => [reason, actor, target?.id].join(' '))
      .toReversed();
  const refusal = (says: RegExp) => (error: unknown) =>
    error instanceof CommandError && says.test(error.message);

  test('declares no client with a scope that no resource has', async () => {
    const reporting = `${spa}scopes = ["openid", "orders:read"]\n`;
    await assert.rejects(
      apply(reporting),
      refusal(/clients\.toml is refused: scopes of the client spa has orders:read, which no resource has/),
    );
    assert.deepEqual(await ids(), []);
    await apply(api + reporting);
    assert.deepEqual(await ids(), ['spa']);
  });

  test('adds, changes and removes what it declares, each once', async () => {
    assert.deepEqual(inWords(await apply(api + wiki + spa)), [
      'add resource https://api.example.org/',
      'add client wiki',
      'add client spa',
    ]);
    assert.equal(isSecret(await listLiveSecrets(db, 'wiki', service.clock.now()), wikiSecret), true);
    assert.equal((await findClient(db, 'wiki'))?.managedBy, 'file:clients');
    assert.deepEqual(await apply(api + wiki + spa), [], 'the same file changes nothing');
    service.clock.advance(minuteMs);
    const changed = wiki
      .replace('"Wiki"', '"Wikipedia"\nallowed_users = ["ann@example.org"]')
      .replace('secret_file = "wiki.secret"', `secret_sha256 = ["${hex('new')}"]`)
      .replace('resource_of = ["https://api.example.org/"]', '');
    assert.deepEqual(inWords(await apply(changed)), [
      'change client wiki name,resource_of,allowed_users,secrets',
      'remove client spa',
      'remove resource https://api.example.org/',
    ]);
    const left = await listLiveSecrets(db, 'wiki', service.clock.now());
    assert.deepEqual([left.length, isSecret(left, 'new'), isSecret(left, wikiSecret)], [1, true, false]);
    assert.deepEqual([await ids(), await listResources(db)], [['wiki'], []]);
    assert.deepEqual(inWords(await apply(changed.replace('allowed_users = ["ann@example.org"]', ''))), [
      'change client wiki allowed_users',
    ]);
    assert.deepEqual((await findClient(db, 'wiki'))?.access.users, []);
    assert.deepEqual(inWords(await apply('')), ['remove client wiki']);
    assert.deepEqual(await record(), [
      'resource_added service https://api.example.org/',
      'client_added service wiki',
      'client_added service spa',
      'client_changed service wiki',
      'client_secret_rotated service wiki',
      'client_removed service spa',
      'resource_removed service https://api.example.org/',
      'client_changed service wiki',
      'client_removed service wiki',
    ]);
  });

  test('only says what it would change in a dry run', async () => {
    const changes = await tryOut(api + wiki);
    assert.deepEqual(inWords(changes), ['add resource https://api.example.org/', 'add client wiki']);
    assert.deepEqual([await ids(), await listResources(db), await record()], [[], [], []]);
    await apply(spa);
    await apply(api + wiki);
    await tryOut(spa);
    await assert.rejects(
      apply(spa),
      refusal(/was replaced by another version/),
      'it is still no current file',
    );
    const wrong = [`${spa}scopes = ["openid", "orders:write"]\n`, `name = "other"\n${api}${wiki}`];
    for (const text of wrong) {
      const fault: unknown = await apply(text, true).catch((error: unknown) => error);
      assert.ok(fault instanceof CommandError);
      await assert.rejects(tryOut(text), { message: fault.message }, 'it is refused as it would be applied');
    }
  });

  test('leaves clients of commands and of other files alone, and refuses to take them', async () => {
    const clients = new Clients(service.core.context);
    const own = { name: 'Own', redirect_uris: ['https://own.example.org/'] };
    await clients.add(requireClient({ ...own, id: 'own' }), { source: { actor: 'operator' } });
    await apply(`name = "other"\n${spa}`);
    await apply(api + wiki);
    await apply('');
    assert.deepEqual(await ids(), ['own', 'spa']);
    const taken = `${api}${wiki}${spa}${spa.replace('spa', 'own')}`;
    await assert.rejects(
      apply(taken),
      refusal(
        /declares the client spa, but file:other manages it: .*\n.*declares the client own, but a command added it/,
      ),
    );
    assert.deepEqual([await ids(), await listResources(db)], [['own', 'spa'], []], 'nothing was applied');
  });

  test('a content that was replaced is refused, unless the operator applies it', async () => {
    const [older, newer] = [wiki.replace(/^resource_of.*\n/m, ''), spa];
    await apply(older);
    await apply(newer);
    await assert.rejects(apply(older), refusal(/was replaced by another version on 2026-.*client apply/));
    assert.deepEqual(await ids(), ['spa']);
    await apply(`# a comment is no other content\n${newer}`);
    await apply(older, true);
    assert.deepEqual(await ids(), ['wiki']);
    await assert.rejects(apply(newer), refusal(/was replaced/));
    await apply(older);
  });

  test('instances that start at the same time apply one file after the other', async () => {
    const files = [fileOf(spa), fileOf(spa), fileOf(spa.replace('"Shop"', '"Other"'))];
    const source = { actor: 'service' } as const;
    const ends = await Promise.allSettled(
      files.map(async (file) => applyFile(service.core.context, file, { source })),
    );
    // The order is open: the second of two equal files may come after the other one, and is an old copy then.
    for (const end of ends)
      if (end.status === 'rejected') assert.match(String(end.reason), /was replaced by another version/);
    assert.ok(ends.filter(({ status }) => status === 'fulfilled').length >= 2);
    assert.deepEqual(await ids(), ['spa']);
    assert.equal((await record()).filter((line) => line === 'client_added service spa').length, 1);
  });

  test('a start applies the file, and an instance with an older one does not start', async () => {
    const start = async (text: string): Promise<void> => {
      fileOf(text);
      const instance = await serviceOn(service, { CLIENTS_FILE: path });
      await instance.close();
    };
    await start(spa);
    assert.deepEqual(await ids(), ['spa']);
    await start(api + wiki);
    assert.deepEqual(await ids(), ['wiki']);
    await assert.rejects(start(spa), refusal(/was replaced by another version/));
    assert.deepEqual(await ids(), ['wiki']);
  });

  test('the database contains no secret', async () => {
    await apply(api + wiki);
    const added = requireClient({ id: 'own', name: 'Own', redirect_uris: ['https://own.example.org/'] });
    const clients = new Clients(service.core.context);
    const { secret = assert.fail() } = await clients.add(added, { source: { actor: 'operator' } });
    const { secret: next } = await clients.rotateSecret('own', { source: { actor: 'operator' } });
    const everything = await everythingIn(service.url);
    assert.ok(everything.includes('https://own.example.org/'));
    for (const one of [wikiSecret, secret, next]) assert.ok(!everything.includes(one));
  });
});

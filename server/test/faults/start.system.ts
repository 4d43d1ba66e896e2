// What cannot work is refused at the start, in a sentence with the remedy and before anything is changed.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { migratedModules } from '../../src/app/migrations.ts';
import { migrateDatabase } from '../../src/db/open-database.ts';
import { engineNames } from '../support/engines.ts';
import { onServer } from '../support/postgres-servers.ts';
import { CommandHost, runProgram } from '../support/program.ts';
import { temporaryFolder } from '../support/running-service.ts';

const host = new CommandHost();
after(() => host.close());

/** Runs `serve`, which must refuse without a stack, and returns what it says. */
async function refusal(environment: Record<string, string>): Promise<string> {
  const { code, stderr } = await host.run(['serve'], { environment: { PORT: '0', ...environment } });
  assert.equal(code, 1, stderr);
  assert.doesNotMatch(stderr, /^\s+at /m);
  return stderr;
}

test('HOST that does not resolve is refused with a sentence', async (t) => {
  const mailing = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'a@example.org' };
  const environment = { PUBLIC_URL: 'https://accounts.example.org', ...mailing };
  const says = await refusal({
    ...environment,
    DATA_DIR: await temporaryFolder(t),
    HOST: 'nonsense.invalid',
  });
  assert.match(says, /^HOST is nonsense\.invalid, (?:which does not resolve|and the name resolution)/);
  assert.doesNotMatch(says, /Connections were rejected/);
});

test('one start names a port in use, a database that cannot be created and keys that cannot be read, and creates nothing', async (t) => {
  const taken = await new Promise<Server>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
  });
  t.after(() => taken.close());
  const address = taken.address();
  const port = String(typeof address === 'object' ? address?.port : '');
  const folder = await temporaryFolder(t);
  const says = await refusal({
    PORT: port,
    DATABASE_URL: 'sqlite:/dev/null/accounts.db',
    SECRET_KEY_FILE: folder,
  });
  assert.match(says, /^The service cannot start:\n/);
  assert.match(says, new RegExp(`  - Port ${port} is in use\\. Stop the other program`));
  assert.match(says, /  - \/dev\/null\/accounts\.db cannot be created: \/dev\/null is not a folder/);
  assert.match(says, /  - The key file .* is a folder/);
  const started = await refusal({ PORT: port, DATA_DIR: join(folder, 'new') });
  assert.match(started, /^Port \d+ is in use/);
  assert.equal(existsSync(join(folder, 'new')), false, 'the folder is created by a start that works');
});

test('misspelled names in the environment are warned about at the start and by doctor', async (t) => {
  const environment = {
    DATA_DIR: await temporaryFolder(t),
    PRODUCT_COLOUR: '#ff0000',
    MAIL_FORM: 'x',
    PORT: '0',
  };
  const { stdout } = await host.run(['doctor', '--json'], { environment });
  const findings = JSON.parse(stdout) as { verdict: string; says: string }[];
  const warned = findings.filter(({ verdict }) => verdict === 'unsafe').map(({ says }) => says);
  assert.deepEqual(warned, [
    'PRODUCT_COLOUR is not an option and has no effect. Did you mean PRODUCT_COLOR?',
    'MAIL_FORM is not an option and has no effect. Did you mean MAIL_FROM?',
  ]);
  const { stdout: log } = await runProgram(['serve'], {
    environment: { ...environment, LOG_FORMAT: 'json', DATABASE_URL: 'sqlite:/dev/null/accounts.db' },
  });
  assert.match(log, /"level":"warn".*Did you mean PRODUCT_COLOR\?/);
});

describe(
  'a PostgreSQL database that cannot be used',
  { skip: engineNames.includes('postgres') ? false : 'TEST_ENGINES leaves PostgreSQL out' },
  () => {
    const names: string[] = [];
    const roles = ['startup_reader', '"startup owner"', '"startup other"'];
    let server: pg.Client;
    before(async () => {
      server = new pg.Client({ connectionString: process.env['TEST_DATABASE_URL'] });
      await server.connect();
      for (const role of roles) await server.query(`create role ${role} login password 'x'`);
    });
    after(async () => {
      for (const name of names) await server.query(`drop database if exists ${name} with (force)`);
      for (const role of roles) await server.query(`drop role if exists ${role}`);
      await server.end();
    });

    async function create(options: string): Promise<URL> {
      const name = `startup_${crypto.randomUUID().replaceAll('-', '')}`;
      names.push(name);
      await server.query(`create database ${name} template template0 ${options}`);
      const url = new URL(process.env['TEST_DATABASE_URL'] ?? '');
      url.pathname = `/${name}`;
      return url;
    }
    /** Creates a database of the role "startup owner", and a function that runs statements of a superuser in it. */
    async function createOwned(): Promise<{ url: URL; on: (text: string) => Promise<unknown[]> }> {
      const url = await create('owner "startup owner"');
      const admin = url.href;
      url.username = 'startup owner';
      url.password = 'x';
      return { url, on: (text) => onServer(admin, text) };
    }
    async function says(url: URL): Promise<string> {
      const environment = {
        DATABASE_URL: url.href,
        SECRET_KEY: `k1 ${Buffer.alloc(32, 'k').toString('base64url')}`,
      };
      const refused = await refusal(environment);
      const doctor = await host.run(['doctor'], { environment: { ...environment, PORT: '0' } });
      assert.equal(doctor.code, 1);
      for (const line of refused.trim().split('\n')) assert.ok(doctor.stdout.includes(line), doctor.stdout);
      return refused;
    }

    for (const encoding of ['LATIN1', 'SQL_ASCII'])
      test(`a database in ${encoding} is refused, and doctor says how to create one in UTF8`, async () => {
        const url = await create(`encoding '${encoding}' locale 'C'`);
        assert.match(
          await says(url),
          new RegExp(`has the encoding ${encoding},.*create database .* encoding 'UTF8'`),
        );
      });

    test('a search path without a schema is refused', async () => {
      const url = await create('');
      url.searchParams.set('options', '-c search_path=missing');
      assert.match(await says(url), /^No schema of the search path \(missing\) exists in the database/);
    });

    test('a user who may not create tables is refused, with the statement that allows it', async () => {
      const url = await create('');
      url.username = 'startup_reader';
      url.password = 'x';
      const refused = await says(url);
      assert.match(
        refused,
        /startup_reader may not create tables in the schema public .*grant create on schema public/,
      );
    });

    test('tables of another role are refused, with the statements that change their owner', async () => {
      const { url, on } = await createOwned();
      await migrateDatabase(url.href, migratedModules);
      await on('alter table users owner to postgres; alter table sessions owner to "startup other"');
      const expected =
        'belong to "startup other" and postgres, so "startup owner" cannot maintain them. Run as a superuser: alter table sessions owner to "startup owner"; alter table users owner to "startup owner";';
      for (const granted of ['', 'grant select', 'grant all']) {
        if (granted !== '') await on(`${granted} on all tables in schema public to "startup owner"`);
        const refused = await says(url);
        assert.ok(refused.includes(expected), refused);
      }
      const statements = /superuser: (.*)$/m.exec(await says(url))?.[1] ?? '';
      await on(statements);
      assert.deepEqual(await migrateDatabase(url.href, migratedModules), []);
      await on('alter table schema_versions owner to postgres');
      assert.match(await says(url), /alter table schema_versions owner to "startup owner";$/m);
    });

    test('a right to create that was revoked after the first start is named', async () => {
      const { url, on } = await createOwned();
      await migrateDatabase(url.href, migratedModules);
      await on('alter schema public owner to postgres; revoke create on schema public from public');
      assert.match(
        await says(url),
        /may not create tables .*grant create on schema public to "startup owner"/,
      );
    });

    for (const [what, statement, table] of [
      ['a table', 'create table users (id integer)', 'users'],
      ['a view', 'create view mails as select 1 as id', 'mails'],
      ['a list of versions', 'create table schema_versions (version text)', 'schema_versions'],
    ] as const)
      test(`${what} of another program is refused, and nothing is created`, async () => {
        const { url, on } = await createOwned();
        await on(statement);
        const refused = await says(url);
        assert.ok(refused.includes(`tables of another program under names that the service uses (${table})`));
        assert.match(refused, /set DATABASE_URL to another database, or give .* schema of its own/);
        const relations = await on("select 1 from pg_class where relnamespace = 'public'::regnamespace");
        assert.equal(relations.length, 1);
        const remedy = /own: (.*)\.$/m.exec(refused)?.[1] ?? '';
        await on(remedy);
        assert.ok((await migrateDatabase(url.href, migratedModules)).length > 0);
        await on('alter role "startup owner" reset search_path');
      });

    test('a role whose transactions are read-only is refused, with the setting to reset', async () => {
      const { url, on } = await createOwned();
      await on('alter role "startup owner" set default_transaction_read_only = on');
      try {
        assert.match(
          await refusal({ DATABASE_URL: url.href }),
          /reset default_transaction_read_only of the role/,
        );
        const doctor = await host.run(['doctor'], { environment: { DATABASE_URL: url.href, PORT: '0' } });
        assert.match(doctor.stdout, /it is read-only\. .*reset default_transaction_read_only of the role/);
      } finally {
        await on('alter role "startup owner" reset default_transaction_read_only');
      }
    });

    test('a database that does not exist, and a server without TLS, are named in a sentence', async () => {
      const url = await create('');
      const missing = new URL(url);
      missing.pathname = '/startup_missing';
      assert.match(
        await says(missing),
        /^PostgreSQL rejects the connection: database "startup_missing" does not exist/,
      );
      url.searchParams.set('sslmode', 'require');
      const refused = await says(url);
      assert.match(refused, /^PostgreSQL: The server does not support SSL connections/);
      assert.doesNotMatch(refused, /SECURITY WARNING/);
    });

    test('a command on an empty database says so, and leaves it empty', async () => {
      const empty = await create('');
      const { code, stderr } = await host.run(['user', 'list'], {
        environment: { DATABASE_URL: empty.href },
      });
      assert.equal(code, 1);
      assert.match(stderr, /has no tables of this service\. "bienvenue serve" creates them/);
      const client = new pg.Client({ connectionString: empty.href });
      await client.connect();
      const { rows } = await client.query("select 1 from pg_tables where schemaname = 'public'");
      await client.end();
      assert.deepEqual(rows, []);
    });
  },
);

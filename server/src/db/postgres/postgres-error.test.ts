// What the operator reads about a server that cannot be connected to.
import pg from 'pg';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePort } from '../../../test/support/free-port.ts';
import { useDatabase } from '../../../test/support/engines.ts';
import { isProblem, Problem } from '../../kit/problem.ts';
import { connectDatabase } from '../open-database.ts';
import { findConnectionLimit } from './postgres-check.ts';
import { toError } from './postgres-error.ts';

const messageOf = (url: string): Promise<string> =>
  connectDatabase(url).then(
    () => assert.fail('the connection succeeds'),
    (error: unknown) => {
      assert.ok(isProblem(error, 'unavailable'));
      return error.message;
    },
  );

test('a server that cannot be connected to is reported with the remedy', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const { port } = silent.address() as { port: number }; // it listens on TCP
  const cases: readonly (readonly [url: string, says: RegExp])[] = [
    [`postgres://127.0.0.1:${await freePort()}/x`, /ECONNREFUSED.*\. Check host and port in DATABASE_URL/],
    ['postgres://user@/x?host=/nonsense', /ENOENT.*\. Check host and port in DATABASE_URL/],
    ['postgres://nonsense.invalid/x', /nonsense\.invalid\. Check the host in DATABASE_URL/],
    [`postgres://127.0.0.1:${port}/x`, /timeout\. Check host and port in DATABASE_URL.*firewall/],
    [
      `postgres://127.0.0.1:${port}/x?sslmode=verify-full&sslrootcert=/nonsense`,
      /\/nonsense'\. Correct sslroot/,
    ],
  ];
  for (const [url, says] of cases) assert.match(await messageOf(url), says, url);
});

test('a fault of TLS is reported with the remedy, and without options of Node.js', () => {
  const codes: readonly (readonly [code: string, message: string, says: RegExp])[] = [
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
      /^PostgreSQL: self-signed certificate\. Set sslrootcert/,
    ],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain', /chain\. Set sslrootcert/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify', /unable to verify\. Set sslrootcert/],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unable to get issuer', /issuer\. Set sslrootcert/],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'Hostname/IP does not match',
      /match\. Write a host that its certificate/,
    ],
    ['CERT_HAS_EXPIRED', 'certificate has expired', /expired\. Renew the certificate/],
    ['', 'The server does not support SSL connections', /connections\. Turn on ssl .* sslmode=disable/],
    ['ECONNRESET', 'read ECONNRESET', /^PostgreSQL: read ECONNRESET$/],
  ];
  for (const [code, message, says] of codes) {
    const error = toError(Object.assign(new Error(message), { code }));
    assert.ok(error instanceof Problem);
    assert.match(error.message, says);
  }
});

const opened = useDatabase('postgres');

test('a limit below the connections of the service is found, of the role, the database and the server', async () => {
  const { database, url } = opened();
  const name = new URL(url).pathname.slice(1);
  await database.execute('create role limited_role');
  const asRole = (): Promise<string | undefined> =>
    database.transaction(async (tx) => {
      await tx.execute('set local role limited_role');
      return findConnectionLimit(tx, 10);
    });
  try {
    assert.equal(await asRole(), undefined);
    assert.equal(await findConnectionLimit(database, 100_000), undefined, 'a superuser has no limit');
    await database.execute('alter role limited_role connection limit 9');
    assert.match(
      (await asRole()) ?? '',
      /^the role .* allows 9 connections, fewer than DATABASE_CONNECTIONS \(10\)/,
    );
    await database.execute('alter role limited_role connection limit 10');
    await database.execute(`alter database ${name} connection limit 3`);
    assert.match((await asRole()) ?? '', /^the database .* allows 3 connections/);
    await database.execute(`alter database ${name} connection limit -1`);
    const server = await database.transaction(async (tx) => {
      await tx.execute('alter role limited_role connection limit -1');
      await tx.execute('set local role limited_role');
      return findConnectionLimit(tx, 100_000);
    });
    assert.match(server ?? '', /^the server \(max_connections\) allows \d+ connections/);
  } finally {
    await database.execute('drop role limited_role');
  }
});

test('a connection that is rejected while the service runs is a temporary fault, with the remedy', async () => {
  const url = new URL(opened().url);
  const server = new pg.Client({ connectionString: url.href });
  await server.connect();
  const role = 'rejected_role';
  const breaks: readonly (readonly [statement: string, repair: string, says: RegExp])[] = [
    [
      `alter role ${role} password 'other'`,
      `alter role ${role} password 'known'`,
      /^PostgreSQL rejects the connection: password authentication failed .*\. Check user, password/,
    ],
    [
      `alter role ${role} nologin`,
      `alter role ${role} login`,
      /^PostgreSQL rejects the connection: .* not permitted to log in\. Check user, password/,
    ],
    [
      `alter role ${role} connection limit 0`,
      `alter role ${role} connection limit -1`,
      /^PostgreSQL: too many connections for role .*\. Lower DATABASE_CONNECTIONS, or raise the limit/,
    ],
  ];
  try {
    await server.query(`create role ${role} login password 'known'`);
    await server.query(`grant create on schema public to ${role}`);
    url.username = role;
    url.password = 'known';
    const db = await connectDatabase(url.href);
    for (const [statement, repair, says] of breaks) {
      await server.query(statement);
      await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`);
      const isExpected = (error: unknown): boolean => {
        assert.ok(isProblem(error, 'unavailable'), String(error));
        return says.test(error.message);
      };
      // The end of an idle connection may be noticed only when it is used.
      await db.now().catch(() => {});
      await assert.rejects(db.now(), isExpected, statement);
      await server.query(repair);
      assert.ok((await db.now()) > 0, 'it recovers');
    }
    await db.close();
  } finally {
    await server.query(`drop owned by ${role}`);
    await server.query(`drop role ${role}`);
    await server.end();
  }
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import pg from 'pg';
import { PostgresUrlFault, readPostgresUrl, serverName } from './postgres-url.ts';

describe('the URL of PostgreSQL', () => {
  const rows: readonly (readonly [url: string, urls: readonly string[], needsReadWrite: boolean])[] = [
    ['postgres://me:pw@a/db', ['postgres://me:pw@a/db'], false],
    ['postgresql://a:5433/db?sslmode=verify-full', ['postgresql://a:5433/db?sslmode=verify-full'], false],
    [
      'postgres://me:p%40w@a:5432,b:5433/db?target_session_attrs=read-write&sslmode=verify-full',
      [
        'postgres://me:p%40w@a:5432/db?sslmode=verify-full',
        'postgres://me:p%40w@b:5433/db?sslmode=verify-full',
      ],
      true,
    ],
    ['postgres://a,b/db', ['postgres://a/db', 'postgres://b/db'], true],
    ['postgres://a,b/db?target_session_attrs=primary', ['postgres://a/db', 'postgres://b/db'], false],
    ['postgres://a/db?target_session_attrs=read-write', ['postgres://a/db'], true],
    ['postgres://[::1]:5432,[::2]/db', ['postgres://[::1]:5432/db', 'postgres://[::2]/db'], true],
    [
      'postgres:///db?host=a,b&port=1,2',
      ['postgres:///db?host=a&port=1', 'postgres:///db?host=b&port=2'],
      true,
    ],
    [
      'postgres:///db?host=a,b&port=1',
      ['postgres:///db?host=a&port=1', 'postgres:///db?host=b&port=1'],
      true,
    ],
    [
      'postgres://me:pw@/db?host=/run/pg&port=5433',
      ['postgres://me:pw@localhost/db?host=%2Frun%2Fpg&port=5433'],
      false,
    ],
    [
      'postgres://me:pw@/db?host=a,b&port=1,2',
      ['postgres://me:pw@localhost/db?host=a&port=1', 'postgres://me:pw@localhost/db?host=b&port=2'],
      true,
    ],
    ['postgres:///db?host=a,b&port=,2', ['postgres:///db?host=a', 'postgres:///db?host=b&port=2'], true],
    ['postgres://a,b/db?port=1,2', ['postgres://a/db?port=1', 'postgres://b/db?port=2'], true],
    ['postgres://a/db?host=b', ['postgres://a/db?host=b'], false],
  ];
  for (const [url, urls, needsReadWrite] of rows)
    test(`names the servers in order: ${url}`, () =>
      assert.deepEqual(readPostgresUrl(url), { urls, needsReadWrite }));

  const refused: readonly (readonly [url: string, says: RegExp])[] = [
    ['mysql://a/db', /^must be postgres:/],
    ['postgres://a:port/db', /^must be postgres:/],
    ['postgres://a,,b/db', /a host between the commas/],
    ['postgres://a,b/db?target_session_attrs=standby', /must be one of any, read-write, primary$/],
    ['postgres://a/db?target_session_attrs=prefer-standby', /must be one of any, read-write, primary$/],
    ['postgres:///db?host=a,,b', /a host between the commas/],
    ['postgres:///db?host=a,b,c&port=1,2', /as many as hosts: it has 2 ports, and hosts: 3/],
    ['postgres://a,b,c/db?port=1,2', /as many as hosts: it has 2 ports, and hosts: 3/],
    ['postgres://a/db?port=1,2', /as many as hosts: it has 2 ports, and hosts: 1/],
    ['postgres://a/db?port=0', /a port from 1 to 65535$/],
    ['postgres://a/db?port=65536', /a port from 1 to 65535$/],
    ['postgres://a/db?port=pg', /a port from 1 to 65535$/],
    ['postgres://me:pw@/db', /^must be postgres:/],
  ];
  for (const [url, says] of refused)
    test(`is refused in a sentence: ${url}`, () =>
      assert.throws(
        () => readPostgresUrl(url),
        (error) => error instanceof PostgresUrlFault && says.test(error.message),
      ));

  test('is named in messages without its user and password', () => {
    assert.equal(serverName('postgres://me:hunter2@a:5433/db'), 'a:5433');
    const [socket = ''] = readPostgresUrl('postgres://me:hunter2@/db?host=/run/pg&port=5433').urls;
    assert.equal(serverName(socket), '/run/pg:5433');
    assert.equal(serverName('postgres://me:hunter2@a:5433/db?port=5434'), 'a:5434');
  });

  test('is read by the driver as it was meant', () => {
    for (const [url] of rows)
      for (const one of readPostgresUrl(url).urls) {
        const { host, port } = new pg.Client({ connectionString: one });
        const bracketed = host.includes(':') ? `[${host}]` : host;
        assert.ok([bracketed, `${bracketed}:${port}`].includes(serverName(one)), one);
      }
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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
  ];
  for (const [url, says] of refused)
    test(`is refused in a sentence: ${url}`, () =>
      assert.throws(
        () => readPostgresUrl(url),
        (error) => error instanceof PostgresUrlFault && says.test(error.message),
      ));

  test('is named in messages without its user and password', () => {
    assert.equal(serverName('postgres://me:hunter2@a:5433/db'), 'a:5433');
    assert.equal(
      serverName('postgres://me:hunter2@/db?host=/run/pg&port=5433'.replace('@/', '@x/')),
      '/run/pg:5433',
    );
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { postgresTls, tlsModes } from './postgres-tls.ts';

test('the TLS mode of a database URL is stated, and spelled so that the driver prints no warning', () => {
  const at = (query: string, environment = {}): unknown[] => {
    const { url, says } = postgresTls(`postgres://me:a%25b@host/db${query}`, environment);
    return [url.replace('postgres://me:a%25b@host/db', ''), says];
  };
  const verified = 'TLS with a verified certificate';
  assert.deepEqual(at(''), ['', 'no TLS (sslmode=disable)']);
  assert.deepEqual(at('', { PGSSLMODE: 'require' }), ['', `${verified} (sslmode=require)`]);
  assert.deepEqual(at('?sslmode=require'), ['?sslmode=verify-full', `${verified} (sslmode=require)`]);
  assert.deepEqual(at('?a=b&sslmode=prefer&c=d'), [
    '?a=b&sslmode=verify-full&c=d',
    `${verified} (sslmode=prefer)`,
  ]);
  assert.deepEqual(at('?sslmode=no-verify'), [
    '?sslmode=no-verify',
    'TLS without verifying the certificate (sslmode=no-verify)',
  ]);
  assert.deepEqual(at('?uselibpqcompat=true&sslmode=require'), [
    '?uselibpqcompat=true&sslmode=require',
    'TLS without verifying the certificate (sslmode=require, as in libpq)',
  ]);
});

describe('what is said about TLS is what the driver does', () => {
  const file = encodeURIComponent(import.meta.filename); // it is read, and used as a certificate only when connecting
  const modes = ['', ...Object.keys(tlsModes).map((mode) => `sslmode=${mode}`)];
  const files = [
    '',
    ...['sslrootcert', 'sslcert', 'sslkey'].map((name) => `${name}=${file}`),
    'sslrootcert=',
  ];
  const others = ['', 'sslnegotiation=direct', 'uselibpqcompat=true', 'uselibpqcompat=1'];

  /** What the driver will do, in the words of the service; `undefined` if it refuses the URL. */
  function done(url: string): string | undefined {
    let ssl: unknown;
    try {
      ({ ssl } = new pg.Client({ connectionString: url }));
    } catch {
      return undefined;
    }
    if (ssl === false) return 'no TLS';
    const { rejectUnauthorized = true, checkServerIdentity } = Object(ssl) as ConnectionOptions;
    if (!rejectUnauthorized) return 'TLS without verifying the certificate';
    return `TLS with a verified certificate${checkServerIdentity === undefined ? '' : ', whatever host it names'}`;
  }

  for (const mode of modes)
    test(`with ${mode === '' ? 'no mode' : mode}`, () => {
      for (const [one, other] of files.flatMap((each) => others.map((more) => [each, more] as const))) {
        const query = [mode, one, other].filter((part) => part !== '').join('&');
        const { url, says } = postgresTls(`postgres://me@host/db?${query}`);
        const expected = done(url);
        if (expected !== undefined) assert.equal(says.replace(/ \(.*$/, ''), expected, query);
      }
    });
});

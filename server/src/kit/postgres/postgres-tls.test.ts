import assert from 'node:assert/strict';
import { test } from 'node:test';
import { postgresTls } from './postgres-tls.ts';

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
    'TLS as libpq does with sslmode=require',
  ]);
});

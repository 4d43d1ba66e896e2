import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionFault } from './parse.ts';
import { libpqParameters, postgresParameters } from '../kit/postgres/postgres-parameters.ts';
import { databaseUrl } from './server-url.ts';

function refusal(url: string): string {
  try {
    databaseUrl(url);
  } catch (error) {
    if (error instanceof OptionFault) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('a parameter of the URL of PostgreSQL', () => {
  const values: Readonly<Record<string, string>> = {
    target_session_attrs: 'primary',
    sslmode: 'require',
    sslnegotiation: 'direct',
    sslrootcert: import.meta.filename,
    sslcert: import.meta.filename,
    sslkey: import.meta.filename,
  };
  for (const name of postgresParameters)
    test(`${name} is accepted`, () =>
      assert.equal(refusal(`postgres://h/db?${name}=${values[name] ?? '1'}`), 'accepted'));

  for (const name of libpqParameters)
    test(`${name}, which libpq has and the service does not, is refused`, () =>
      assert.match(
        refusal(`postgres://h/db?${name}=1`),
        new RegExp(`without the parameter ${name}, .* does not support; remove it$`),
      ));

  const unknown: readonly (readonly [query: string, says: RegExp])[] = [
    ['ssl_mode=verify-full', /parameter ssl_mode, which has no effect; did you mean sslmode\?$/],
    ['sslMode=require', /did you mean sslmode\?$/],
    ['SSLMODE=require', /did you mean sslmode\?$/],
    ['sslrootcerts=%2Fca.pem', /did you mean sslrootcert\?$/],
    ['aplication_name=a', /did you mean application_name\?$/],
    ['requiressl=1', /; write sslmode=verify-full .* instead$/],
    ['tls=true', /; write sslmode=verify-full .* instead$/],
    ['ssl=true', /; write sslmode=verify-full .* instead$/],
    ['ssl=no-verify', /; write sslmode=verify-full .* sslmode=no-verify .* instead$/],
    ['dbname=accounts', /; write the database in the path/],
    ['schema=accounts', /; write options=-c%20search_path%3D/],
    ['statement_timeout=1', /which has no effect; remove it$/], // the service sets it after connecting
    ['connection_limit=1', /which has no effect; remove it$/],
    ['constructor=1', /which has no effect; remove it$/],
    ['=1', /with known parameters only/],
    ['sslnegotiation=tls', /an sslnegotiation of postgres, direct$/],
    // The driver would read 5s as 5 ms, and abc as 1 ms.
    ['lock_timeout=5s', /a lock_timeout in milliseconds, without a unit: lock_timeout=5000$/],
    ['query_timeout=abc', /a query_timeout in milliseconds/],
    ['sslrootcert=system', /remove sslrootcert=system: the authorities of Node\.js are trusted without it/],
    ['sslrootcert=/none', /whose sslrootcert is the path of a PEM file; \/none cannot be read: it does not/],
    ['sslcert=%2F', /whose sslcert is the path of a PEM file; \/ cannot be read: it is a folder$/],
    ['sslkey=~/none', /~\/none cannot be read: it does not exist; ~ is not replaced here/],
  ];
  for (const [query, says] of unknown)
    test(`in ${query} is refused`, () => {
      assert.match(refusal(`postgres://h/db?${query}`), says);
      assert.match(refusal(`postgres://a,b/db?sslmode=verify-full&${query}`), /^must be a? ?\S/);
    });

  test('that is the rest of a password is not quoted', () => {
    for (const url of ['postgres://me:12?hunter2=x@h/db', 'postgres://me:12?hunter2@h/db'])
      assert.doesNotMatch(refusal(url), /hunter2|accepted/);
  });
});

describe('a host of the URL of PostgreSQL', () => {
  for (const url of [
    'postgres://u:p@/db?host=/run/postgresql&port=5432',
    'postgres://u:p@/db?host=a,b&port=1,2',
    'postgres://%2Frun%2Fpostgresql/db',
    'postgres://u:p@[::1]:5432/db',
    'postgres:///db?host=::1',
    'postgres://u:p@my_db.example./db',
    'postgres://192.0.2.1/db',
  ])
    test(`is accepted in ${url}`, () => assert.equal(refusal(url), 'accepted'));

  const refused: Readonly<Record<string, RegExp>> = {
    'db.bücher.example': /in ASCII; write db\.xn--bcher-kva\.example$/,
    'db.b%C3%BCcher.example': /in ASCII; write db\.xn--bcher-kva\.example$/,
    ü_x: /in ASCII$/,
    'a..b': /name of a host, which a\.\.b is not$/,
    '.a': /name of a host, which \.a is not$/,
    'a%20b': /in ASCII$/,
    [`${'a'.repeat(64)}.example`]: /name of a host/,
  };
  for (const [host, says] of Object.entries(refused))
    test(`is refused if no server can have the name: ${host}`, () => {
      assert.match(refusal(`postgres://u:p@${host}:5432/db`), says);
      assert.match(refusal(`postgres://u:p@a,${host}/db`), says);
      assert.match(refusal(`postgres://u:p@/db?host=a,${host}`), says);
    });
});

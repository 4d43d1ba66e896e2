// The options and addresses that a program passes to the library.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/support/running-service.ts';
import { allOptions } from '../app/options.ts';
import { knownNames } from '../config/option-name.ts';
import { ConfigurationFault } from '../config/read-options.ts';
import { givenOptions } from './given-options.ts';
import { openDb, openService } from './open.ts';

/** Values that a program without types may pass. */
const untyped = (value: unknown): never => value as never;

const faultsOf = (options: object): readonly string[] => {
  try {
    givenOptions(options);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationFault);
    return error.faults;
  }
};

test('the URL of a database in another form is answered with the form, and no server is asked', async () => {
  for (const url of [
    '',
    'mysql://x/y',
    'accounts.db',
    './data/a.db',
    ':memory:',
    'sqlite::memory:',
    'sqlite:',
    7,
  ])
    await assert.rejects(
      openDb(untyped(url)),
      (error: Error) =>
        error instanceof ConfigurationFault &&
        /must be sqlite:<path of a file> or postgres:\/\/user:password@host\/database/.test(error.message),
      String(url),
    );
  await assert.rejects(openDb('accounts.db'), /Did you mean sqlite:accounts\.db\?/);
  await assert.rejects(openDb('mysql://u:secret@x/y'), (error: Error) => !error.message.includes('secret'));
});

test('a misspelled name of an option is answered with the name that was meant', () => {
  const known = knownNames(allOptions);
  for (const name of known) {
    const misspelled = [`${name}X`, name.toLowerCase(), `BIENVENUE_${name}`];
    for (const one of misspelled.filter((each) => !known.has(each)))
      assert.match(
        faultsOf({ [one]: 'x' }).join(),
        new RegExp(`^${one} is not an option; did you mean \\w+\\?$`),
      );
    assert.deepEqual(faultsOf({ [name]: 'x' }), []);
  }
  assert.deepEqual(faultsOf({ PROT: '5000' }), ['PROT is not an option; did you mean PORT?']);
  assert.deepEqual(faultsOf({ COLOUR_OF_THE_BIKE: 'x' }), [
    'COLOUR_OF_THE_BIKE is not an option; docs/reference/configuration.md lists the options',
  ]);
});

test('a value that is no text is answered with how to write it', async () => {
  for (const [value, remedy] of [
    [5000, "PORT must be a text, as in the environment: '5000'"],
    [true, "PORT must be a text, as in the environment: 'true'"],
    [new URL('https://a.example'), "PORT must be a text: 'https://a.example/'"],
    [['a', 'b'], "PORT must be a text, with commas: 'a, b'"],
    [null, 'PORT must be a text, not null'],
    [{}, 'PORT must be a text, not a value of type object'],
  ] satisfies [unknown, string][])
    assert.deepEqual(faultsOf({ PORT: value }), [remedy]);
  assert.deepEqual(faultsOf({ PORT: undefined }), []);
  await assert.rejects(
    openService(untyped({ PORT: 5000, PROT: '1' })),
    /PORT must be a text.*PROT is not an option/s,
  );
});

test('a program may pass on its whole environment', async (t) => {
  assert.deepEqual(faultsOf({ ...process.env, PORT: '5000' }), []);
  const service = await openService({
    ...process.env,
    DATA_DIR: await temporaryFolder(t),
    LOG_LEVEL: 'silent',
  });
  await service.close();
});

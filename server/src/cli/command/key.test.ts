// The keys of a database by command: created, listed, rotated, and rejected if they belong to another database.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CommandHost, runProgram, withoutPlace } from '../../../test/support/program.ts';
import { createData, temporaryFolder } from '../../../test/support/running-service.ts';
import { sealedColumns } from '../../app/sealed-columns.ts';

const host = new CommandHost();
after(() => host.close());

test('the first start creates the keys; they are listed and rotated by id', async (t) => {
  const environment = { DATA_DIR: await temporaryFolder(t) };
  const file = join(environment.DATA_DIR, 'secret.key');
  const early = await host.run(['key', 'list'], { environment });
  assert.deepEqual([early.code, early.stdout], [1, '']);
  assert.match(
    withoutPlace(early.stderr),
    /^The key file .*secret\.key does not exist\. The first start .*; if .* restore the file/,
  );

  await createData(environment);
  await host.json(['user', 'add', 'bob@example.org'], { environment, input: 'b4l0u' });
  const [first, ...others] = (await host.json(['key', 'list'], { environment })) as {
    id: string;
    current: boolean;
  }[];
  assert.deepEqual([first?.current, others], [true, []]);

  const rotated = await host.run(['key', 'rotate'], { environment });
  assert.equal(rotated.code, 0);
  const keys = (await host.json(['key', 'list'], { environment })) as { id: string; current: boolean }[];
  assert.deepEqual(
    keys.map(({ current }) => current),
    [true, false],
  );
  assert.equal(keys[1]?.id, first?.id);
  await host.json(['user', 'list'], { environment }); // opens with the new key

  const secrets = readFileSync(file, 'utf8')
    .split(/\s+/)
    .filter((word) => word.length > 20);
  assert.equal(secrets.length, 2);
  const listed = await host.run(['key', 'list'], { environment });
  for (const secret of secrets)
    assert.ok(!(listed.stdout + rotated.stdout + rotated.stderr).includes(secret));
});

// SECURITY F33: the start fails, instead of every password being wrong.
test('no command and no service starts with keys that are not those of the database', async (t) => {
  const environment = { DATA_DIR: await temporaryFolder(t), PORT: '0' };
  await createData(environment);
  await host.json(['user', 'add', 'bob@example.org'], { environment, input: 'b4l0u' });
  const file = join(environment.DATA_DIR, 'secret.key');
  const [id] = readFileSync(file, 'utf8').split(' ');
  const other = `${id} ${Buffer.alloc(32, 'x').toString('base64url')}\n`;
  writeFileSync(file, other);
  for (const command of [['serve'], ['user', 'list']]) {
    const { code, stdout, stderr } = await runProgram(command, { environment });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      withoutPlace(stderr),
      new RegExp(
        `^The key file .* contains a different secret under the key ${id} than the database uses\\.`,
      ),
    );
    assert.equal(withoutPlace(stderr).trim().split('\n').length, 1, 'one sentence or two, no stack');
  }
  const doctor = await host.run(['doctor'], { environment });
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /fault +keys/);
  assert.equal(readFileSync(file, 'utf8'), other);
});

test('keys in SECRET_KEY are listed and cannot be rotated', async (t) => {
  const keys = ['new', 'old'].map((id) => `${id} ${Buffer.alloc(32, id).toString('base64')}`).join(', ');
  const environment = { DATA_DIR: await temporaryFolder(t), SECRET_KEY: keys };
  assert.deepEqual(await host.json(['key', 'list'], { environment }), [
    { id: 'new', current: true },
    { id: 'old', current: false },
  ]);
  const { code, stderr } = await host.run(['key', 'rotate'], { environment });
  assert.equal(code, 1);
  assert.match(withoutPlace(stderr), /^The keys are in SECRET_KEY/);
});

test('secrets are encrypted again under the new key once the service has it', async (t) => {
  const environment = { DATA_DIR: await temporaryFolder(t) };
  await createData(environment);
  await host.json(['user', 'add', 'bob@example.org'], { environment, input: 'b4l0u' });
  const { stdout } = await host.run(['key', 'rotate'], { environment });
  assert.match(stdout, /bienvenue key reseal/);
  const resealed = await host.json(['key', 'reseal'], { environment });
  assert.deepEqual(
    resealed,
    sealedColumns.map(({ table, column }) => ({ table, column, rows: 0, left: 0 })),
  );
  const words = await host.run(['key', 'reseal'], { environment });
  assert.match(words.stdout, /^COLUMN +ENCRYPTED AGAIN +LEFT\nmails\.content +0 +0\n/);
});

// Conditions under which the service refuses to start, and the runtime on which it starts.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../support/program.ts';
import { createData, serviceOn, temporaryFolder } from '../support/running-service.ts';

const launcher = fileURLToPath(new URL('../../bin/bienvenue.js', import.meta.url));

/** Starts a service that must refuse with one sentence, without a stack trace, and exit code 1. */
async function refusesToStart(environment: Record<string, string>, says: RegExp): Promise<void> {
  const { code, stderr } = await runProgram(['serve'], { environment: { PORT: '0', ...environment } });
  assert.equal(code, 1, stderr);
  assert.match(stderr, says);
  assert.doesNotMatch(stderr, /^\s+at /m);
}

test('refuses a file that is not its database, and does not change it', async (t) => {
  const folder = await temporaryFolder(t);
  const letter = join(folder, 'letter.txt');
  writeFileSync(letter, 'Dear grandmother,\n'.repeat(100));
  const foreign = join(folder, 'foreign.db');
  {
    using database = new DatabaseSync(foreign);
    database.exec(
      "create table users (id integer primary key, name text); insert into users (name) values ('somebody')",
    );
  }
  const cut = join(folder, 'cut.db');
  writeFileSync(cut, readFileSync(foreign).subarray(0, 60));
  const earlier = [letter, foreign, cut].map((file) => readFileSync(file));
  await Promise.all([
    refusesToStart(
      { DATA_DIR: folder, DATABASE_URL: `sqlite:${letter}` },
      /letter\.txt is not a SQLite database\. The file was not changed/,
    ),
    refusesToStart(
      { DATA_DIR: folder, DATABASE_URL: `sqlite:${foreign}` },
      /foreign\.db is a SQLite database of another program/,
    ),
    refusesToStart({ DATA_DIR: folder, DATABASE_URL: `sqlite:${cut}` }, /cut\.db/),
  ]);
  assert.deepEqual(
    [letter, foreign, cut].map((file) => readFileSync(file)),
    earlier,
  );
});

test('refuses a port that is in use, and says what to do', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const { baseUrl } = await start();
  const { port } = new URL(baseUrl);
  const DATA_DIR = await temporaryFolder(t);
  await refusesToStart(
    { DATA_DIR, PORT: port },
    new RegExp(`^Port ${port} is in use\\. Stop the other program, or set PORT to another port\\.$`, 'm'),
  );
  assert.equal((await fetch(baseUrl)).status, 200, 'the other program keeps it');
});

test('ends if its start cannot be recorded', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  const file = join(DATA_DIR, 'bienvenue.db');
  const environment = { DATA_DIR, DATABASE_URL: `sqlite:${file}`, PORT: '0' };
  await createData(environment);
  {
    using database = new DatabaseSync(file);
    database.exec(
      "create trigger t before insert on audit_events begin select raise(abort, 'planted fault'); end",
    );
  }
  const { code, stderr } = await runProgram(['serve'], { environment });
  assert.match(stderr, /planted fault/);
  assert.equal(code, 70, 'it does not keep serving without its signal handlers');
});

test('refuses a folder instead of a file, and a PostgreSQL that does not answer', async (t) => {
  const DATA_DIR = await temporaryFolder(t);
  await Promise.all([
    refusesToStart(
      { DATA_DIR, DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none' },
      /^PostgreSQL: (?!.*hunter2)/m,
    ),
    refusesToStart({ DATA_DIR, DATABASE_URL: `sqlite:${DATA_DIR}` }, new RegExp(DATA_DIR)),
  ]);
});

/** Programs named node that are too old for the sources. */
function oldNodes(): string[] {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'].map(
    (folder) => join(folder, 'node'),
  );
  return [...new Set(places)].filter((place) => {
    const { stdout } = spawnSync(place, ['--version'], { encoding: 'utf8' });
    return Number(/^v(\d+)/.exec(stdout ?? '')?.[1] ?? 99) < 24;
  });
}

const [oldNode] = oldNodes();

test(
  'the launcher on an old Node starts the service on the bundled runtime',
  { skip: oldNode === undefined && 'this machine has no Node below 24' },
  async (t) => {
    const environment = {
      DATA_DIR: await temporaryFolder(t),
      PORT: '0',
      LOG_FORMAT: 'json',
      PATH: process.env['PATH'],
    };
    const config = await runProgram(['config', '--json'], {
      node: String(oldNode),
      script: launcher,
      environment,
    });
    assert.deepEqual([config.code, config.stderr], [0, '']);
    assert.equal((JSON.parse(config.stdout) as { mode: string }).mode, 'local');

    const child = spawn(String(oldNode), [launcher, 'serve'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    let port: string | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      port = /"port":(\d+)/.exec(line)?.[1];
      if (port !== undefined) break;
    }
    assert.deepEqual(await (await fetch(`http://127.0.0.1:${port}/`)).json(), { message: 'Bienvenue' });
    child.stdout.resume();
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  },
);

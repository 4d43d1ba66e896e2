// deploy/bienvenue: a command reads the secrets that the unit of systemd names.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from './support/running-service.ts';

const command = join(import.meta.dirname, '../../deploy/bienvenue');

/** Runs `config` where the unit has this environment; returns the value of SMTP_URL. */
async function smtpUrlWith(
  t: TestContext,
  unit: (file: string) => string,
  own: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'smtp_url');
  await writeFile(file, 'smtp://user:hunter2@mail.example.org:587');
  const systemctl = join(folder, 'systemctl');
  await writeFile(systemctl, `#!/bin/sh\necho '${unit(file)}'\n`);
  await chmod(systemctl, 0o755);
  const { stdout } = await promisify(execFile)(command, ['config', '--json'], {
    env: {
      PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`,
      DATA_DIR: folder,
      MAIL_FROM: 'a@example.org',
      ...own,
    },
  });
  assert.doesNotMatch(stdout, /hunter2/);
  const { options } = JSON.parse(stdout) as { options: { name: string; value: unknown }[] };
  return options.find(({ name }) => name === 'SMTP_URL')?.value;
}

test(
  'a command has the credentials of the unit, unless the caller names others',
  { skip: process.platform === 'win32' && 'a shell script' },
  async (t) => {
    assert.match(
      String(await smtpUrlWith(t, (file) => `DATA_DIR=/var/lib/bienvenue SMTP_URL_FILE=${file} PORT=1`)),
      /mail\.example\.org/,
    );
    assert.doesNotMatch(
      String(await smtpUrlWith(t, () => 'SMTP_URL_FILE=relative PATH=/nowhere')),
      /mail\.example/,
    );
    const own = join(await temporaryFolder(t), 'own');
    await writeFile(own, 'smtp://other.example.org:25');
    assert.match(
      String(await smtpUrlWith(t, (file) => `SMTP_URL_FILE=${file}`, { SMTP_URL_FILE: own })),
      /other\.example\.org/,
    );
  },
);

test(
  'a command starts Node.js with the certificate authority that the file of options names',
  { skip: process.platform === 'win32' && 'a shell script' },
  async (t) => {
    const folder = await temporaryFolder(t);
    const options = join(folder, 'environment');
    const script = (await readFile(command, 'utf8')).replace('/etc/bienvenue/environment', options);
    const [copy, node] = [join(folder, 'deploy/bienvenue'), join(folder, 'node_modules/.bin/node')];
    await Promise.all(
      ['deploy', 'node_modules/.bin'].map((each) => mkdir(join(folder, each), { recursive: true })),
    );
    await writeFile(copy, script, { mode: 0o755 });
    await writeFile(node, '#!/bin/sh\necho "${NODE_EXTRA_CA_CERTS-none}"\n', { mode: 0o755 });
    const { PATH } = process.env;
    const startedWith = async (own: Readonly<Record<string, string>> = {}): Promise<string> =>
      (await promisify(execFile)(copy, ['config'], { env: { PATH, ...own } })).stdout.trim();
    assert.equal(await startedWith(), 'none');
    await writeFile(options, 'PORT=1\nNODE_EXTRA_CA_CERTS="/etc/ssl/own authority.pem"\n');
    assert.equal(await startedWith(), '/etc/ssl/own authority.pem');
    assert.equal(await startedWith({ NODE_EXTRA_CA_CERTS: '/other.pem' }), '/other.pem');
  },
);

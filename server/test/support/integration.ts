// Runs the service, applications and proxies as the guides show them.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request as open, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { blockOf } from './document.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { encodeFields, sendTo, type ContractRequest, type Reply } from './request.ts';
import { temporaryFolder, type Owner } from './running-service.ts';
import { testService } from './service.ts';

const root = join(import.meta.dirname, '../../..');

/** The account of the service. */
export const account = { email: 'søren@example.org', password: 'eight herons in the reeds' };

/** Returns whether a program runs on this machine. */
export const has = (program: string, flag: string): boolean => spawnSync(program, [flag]).status === 0;

/** Starts the service with one account on a port; browsers reach it at `origin`. */
export async function serve(
  t: Owner,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ port: number; origin: string }> {
  const port = await freePort();
  const service = await testService('sqlite', { PORT: String(port), ...environment });
  t.after(() => service.close());
  await service.app.listen({ host: '127.0.0.1', port });
  const origin = `http://127.0.0.1:${port}`;
  const made = await sendTo(origin, { method: 'POST', path: '/users', fields: account });
  assert.equal(made.status, 200, made.text);
  return { port, origin };
}

/** Starts a program that ends with the test. Resolves when it answers at `origin`. */
export async function run(
  t: Owner,
  [file = '', ...args]: readonly string[],
  {
    origin,
    environment = {},
    folder = root,
  }: { origin: string; environment?: Readonly<Record<string, string>>; folder?: string },
): Promise<void> {
  const { PATH } = process.env;
  const child = spawn(file, args, {
    cwd: folder,
    env: { PATH, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  t.after(() => end(child));
  await eventually(
    () => `an answer of ${file}: ${said.join('')}`,
    () => {
      assert.equal(child.exitCode, null, said.join(''));
      return fetch(origin, { redirect: 'manual' }).catch(() => undefined);
    },
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}

/**
 * Sends a request to a URL with no other headers than its own. `fetch` would name itself a script (`Sec-Fetch-Mode:
 * cors`), and a proxy would not redirect it. Each has its own connection: another one may just have been idle for as long
 * as the server keeps it.
 */
export async function sendPlain({ method, path, fields, headers }: ContractRequest): Promise<Reply> {
  const encoded = fields === undefined ? undefined : encodeFields('form', fields);
  const asked = open(path, {
    agent: false,
    method,
    headers: {
      ...(encoded && { 'content-type': encoded.type, 'content-length': encoded.payload.length }),
      ...headers,
    },
  }).end(encoded?.payload);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const text = (await response.setEncoding('utf8').toArray()).join('');
  const { statusCode: status = 0, headers: received } = response;
  const { 'set-cookie': cookies = [] } = received;
  const isJson = received['content-type']?.includes('json') ?? false;
  return { status, headers: received, text, body: isJson ? JSON.parse(text) : undefined, cookies };
}

/** The ports that the guides print: of the proxy, of the service and of the application. */
type Ports = Readonly<Record<8080 | 5000 | 3000, number>>;

/** Returns an example with the ports of this run. */
export function withPorts(text: string, ports: Ports): string {
  return text.replaceAll(
    /(?<=127\.0\.0\.1:)(?:8080|5000|3000)/g,
    (printed) => String(ports[Number(printed) as keyof Ports]), // one of the three
  );
}

/** Starts nginx as the guide shows it, with the location of its second example. */
export async function startNginx(t: Owner, ports: Ports): Promise<void> {
  const guide = 'docs/guides/integrate.md';
  const folder = await temporaryFolder(t);
  const nested = blockOf(guide, 'Demand more than a session', 'nginx');
  const server = withPorts(
    blockOf(guide, 'A proxy that asks first', 'nginx').replace(/^ {4}\}\n\}$/m, `${nested}}}`),
    ports,
  );
  const spools = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; events {} http { access_log off; ${spools.join(' ')} ${server} }`,
  );
  await run(t, ['nginx', '-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')], {
    origin: `http://localhost:${ports[8080]}`,
  });
}

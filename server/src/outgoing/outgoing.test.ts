// Requests to other servers: which addresses they reach, and their limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { DestinationRule } from './destination-rule.ts';
import { Outgoing, OutgoingRefused } from './outgoing.ts';

const publicAddresses = ['93.184.215.14', '8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'];
const otherAddresses = (
  '127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 ' +
  '0.1.2.3 224.0.0.1 255.255.255.255 192.0.2.1 :: ::1 ::127.0.0.1 fe80::1 fc00::1 fd00:ec2::254 fec0::1 ff02::1 ' +
  '2001:db8::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a00:1 2002:7f00:1:: 4000::1 ' +
  'localhost 127.1 fe80::1%eth0 8.8.8.8/32'
).split(' ');

describe('an address', () => {
  const rule = new DestinationRule({ allowed: [], allowsLoopback: false });
  for (const address of publicAddresses)
    test(`${address} is reached`, () => assert.equal(rule.permits(address), true));
  for (const address of otherAddresses)
    test(`${address} is not reached`, () => assert.equal(rule.permits(address), false));

  test('that the operator allows is reached, and only that', () => {
    const allowing = new DestinationRule({
      allowed: ['10.1.0.0/16', 'fd00:1::/32', '127.0.0.1/32'],
      allowsLoopback: false,
    });
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5', '127.0.0.1'])
      assert.equal(allowing.permits(address), true, address);
    for (const address of ['10.2.0.1', '127.0.0.2', '::1', 'fd00:2::1', '192.168.1.1'])
      assert.equal(allowing.permits(address), false, address);
    assert.equal(allowing.permitsLoopback('127.0.0.1'), false, 'without TLS only in local mode');
  });

  test('of this machine is reached in local mode', () => {
    const local = new DestinationRule({ allowed: ['10.0.0.0/8'], allowsLoopback: true });
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
      assert.deepEqual([local.permits(address), local.permitsLoopback(address)], [true, true], address);
    for (const address of ['0.0.0.0', '192.168.1.1', '169.254.169.254'])
      assert.equal(local.permits(address), false, address);
    assert.equal(local.permitsLoopback('10.0.0.1'), false);
    assert.equal(local.permitsLoopback('8.8.8.8'), false);
  });
});

describe('a request', () => {
  let server: Server;
  let origin: string;
  let port: number;
  let answer: RequestListener;
  const requested: string[] = [];
  const local = new Outgoing({ allowed: [], allowsLoopback: true });

  before(async () => {
    server = createServer((request, response) => {
      requested.push(`${request.method} ${request.url}`);
      answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo); // listens on TCP
    origin = `http://127.0.0.1:${port}`;
  });
  beforeEach(() => {
    requested.length = 0;
    answer = (_request, response) => response.end('hello');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  test('sends method, headers and body, and returns the response', async () => {
    let received: unknown;
    answer = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { 'content-type': type, 'content-length': length, host, 'x-test': mark } = request.headers;
        received = { type, length, host, mark, body: Buffer.concat(chunks).toString() };
        response.writeHead(201, { 'x-answer': 'yes', 'set-cookie': ['a=1', 'b=2'] }).end('é');
      });
    };
    const response = await local.fetch(`${origin}/path?query`, {
      method: 'POST',
      headers: { 'x-test': '1' },
      body: new URLSearchParams({ a: '1 2' }),
    });
    assert.deepEqual(received, {
      type: 'application/x-www-form-urlencoded;charset=UTF-8',
      length: '5',
      host: `127.0.0.1:${port}`,
      mark: '1',
      body: 'a=1+2',
    });
    assert.deepEqual(requested, ['POST /path?query']);
    assert.deepEqual(
      [response.status, response.headers.get('x-answer'), response.headers.getSetCookie()],
      [201, 'yes', ['a=1', 'b=2']],
    );
    assert.equal(await response.text(), 'é');
  });

  test('returns a response without a body', async () => {
    answer = (_request, response) => response.writeHead(204).end();
    const response = await local.fetch(origin);
    assert.deepEqual([response.status, await response.text()], [204, '']);
  });

  test('reaches a name of this machine in local mode, and not in public mode', async () => {
    assert.equal((await local.fetch(`http://localhost:${port}/`)).status, 200);
    const guarded = new Outgoing({ allowed: [], allowsLoopback: false });
    for (const url of [`https://localhost:${port}/`, `https://127.0.0.1:${port}/`, `https://[::1]:${port}/`])
      await assert.rejects(guarded.fetch(url), OutgoingRefused, url);
    await assert.rejects(guarded.fetch(origin), OutgoingRefused, 'without TLS');
    assert.equal(requested.length, 1);
  });

  test('is refused for an address in another spelling', async () => {
    const guarded = new Outgoing({ allowed: [], allowsLoopback: false });
    for (const host of ['2130706433', '0x7f.1', '0177.0.0.1', '127.1', '[::ffff:127.0.0.1]', '[::7f00:1]'])
      await assert.rejects(guarded.fetch(`https://${host}:${port}/`), OutgoingRefused, host);
  });

  test('is refused for other schemes and for a user in the URL', async () => {
    for (const url of ['ftp://example.org/', 'file:///etc/passwd', 'data:,x'])
      await assert.rejects(local.fetch(url), OutgoingRefused, url);
    await assert.rejects(local.fetch('https://user:secret@example.org/'), TypeError);
  });

  test('connects to no address that was not checked', async () => {
    const asked: string[] = [];
    const answers = [[{ address: '127.0.0.1', family: 4 }], [{ address: '192.168.1.1', family: 4 }]];
    const guarded = new Outgoing({
      allowed: [],
      allowsLoopback: false,
      resolve: async (hostname) => {
        asked.push(hostname);
        return answers[asked.length - 1] ?? [];
      },
    });
    for (let n = 0; n < 3; n += 1)
      await assert.rejects(guarded.fetch(`https://rebind.test:${port}/`), OutgoingRefused);
    assert.deepEqual(asked, Array(3).fill('rebind.test'), 'one look-up each, that of the connection');
    assert.deepEqual(requested, []);
  });

  test('without TLS goes to this machine only', async () => {
    const mixed = new Outgoing({
      allowed: ['10.0.0.0/8'],
      allowsLoopback: true,
      resolve: async () => [
        { address: '10.0.0.1', family: 4 },
        { address: '93.184.215.14', family: 4 },
      ],
    });
    await assert.rejects(mixed.fetch('http://rp.test/'), OutgoingRefused);
    await assert.rejects(mixed.fetch('http://93.184.215.14/'), OutgoingRefused);
  });

  test('uses those addresses of a name that are allowed', async () => {
    const mixed = new Outgoing({
      allowed: [],
      allowsLoopback: true,
      resolve: async () => [
        { address: '10.0.0.1', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    });
    assert.equal(await (await mixed.fetch(`http://rp.test:${port}/`)).text(), 'hello');
  });

  test('follows no redirect', async () => {
    answer = (_request, response) => response.writeHead(302, { location: `${origin}/secret` }).end();
    const response = await local.fetch(`${origin}/start`);
    assert.equal(response.status, 302);
    assert.deepEqual(requested, ['GET /start']);
  });

  test('ends in time if the server does not answer, or slowly', async () => {
    answer = () => {};
    await assert.rejects(local.fetch(origin, { timeoutMs: 50 }), /No response within 50 ms/);
    answer = (_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => clearInterval(timer));
    };
    await assert.rejects(local.fetch(origin, { timeoutMs: 50 }), /No response within 50 ms/);
    const hanging = new Outgoing({ allowed: [], allowsLoopback: true, resolve: () => new Promise(() => {}) });
    await assert.rejects(hanging.fetch('http://rp.test/', { timeoutMs: 50 }), /No response within 50 ms/);
  });

  test('ends when its caller aborts it', async () => {
    answer = () => {};
    const aborting = new AbortController();
    const response = local.fetch(origin, { signal: aborting.signal });
    setTimeout(() => aborting.abort(), 10);
    await assert.rejects(response, { name: 'AbortError' });
  });

  test('reads no more than its limit', async () => {
    let closed: Promise<unknown> | undefined;
    answer = (_request, response) => {
      closed = once(response, 'close');
      response.writeHead(200);
      const fill = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
      };
      response.on('drain', fill);
      fill();
    };
    await assert.rejects(local.fetch(origin, { maxBytes: 100_000 }), /longer than 100000 bytes/);
    await closed;
    const cut = await local.fetch(origin, { maxBytes: 1000, isCut: true });
    assert.equal((await cut.text()).length, 1000);
    await closed;
  });

  test('asks for no compression, and decompresses nothing', async () => {
    let accepted: unknown;
    answer = (request, response) => {
      accepted = request.headers['accept-encoding'];
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip');
    };
    assert.equal(await (await local.fetch(origin)).text(), 'not gzip');
    assert.equal(accepted, 'identity');
  });

  test('fails if there is no server', async () => {
    const closing = createServer().listen(0, '127.0.0.1');
    await once(closing, 'listening');
    const { port: free } = closing.address() as AddressInfo; // listens on TCP
    closing.close();
    await assert.rejects(local.fetch(`http://127.0.0.1:${free}/`), /ECONNREFUSED/);
  });
});

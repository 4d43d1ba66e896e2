// Cookies that a sibling host plants: a browser sets any name that does not begin with `__Host-` with
// `Domain=example.org`, so the service must read a name exactly as a browser wrote it (RFC 6265bis §4.1.3.2, §5.5).
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { pino } from 'pino';
import { Cookie } from '../../src/http/cookie/cookie.ts';
import { createServer } from '../../src/http/server/server.ts';
import { cookieKinds } from '../../src/identity/cookie-kinds.ts';
import { createToken } from '../../src/kit/secret.ts';
import { exchange } from '../support/raw-connection.ts';
import { publicMode, PublicService } from '../support/public-service.ts';
import { testService, type TestService } from '../support/service.ts';

const sourceFolder = fileURLToPath(new URL('../../src/', import.meta.url));

/** Every source file by its path below `src`. */
const sources = new Map(
  readdirSync(sourceFolder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path): [string, string] => [path, readFileSync(sourceFolder + path, 'utf8')]),
);

/** The name of every cookie that the source declares, as public mode sets it. */
const cookieNames = [...sources.values()].flatMap((text) =>
  [...text.matchAll(/new \w*Cookie\(\{\s*name: '([a-z_]+)'/g)].map(([, name]) => `__Host-${name}`),
);

describe('the cookies in the source', () => {
  test('are all declared by their name, and read and written by one class', () => {
    let declared = 0;
    for (const [path, text] of sources) {
      declared += [...text.matchAll(/new \w*Cookie\(/g)].length;
      if (path === 'http/cookie/cookie.ts') continue;
      assert.doesNotMatch(text, /from 'cookie'|parseCookie|@fastify\/cookie/, `${path} parses cookies`);
      for (const [line] of text.matchAll(/^.*'set-cookie'.*$/gim))
        assert.match(
          line,
          /'set-cookie', \S+\.(?:write|clear|languageCookie)\(|^ {2}'set-cookie',$/i,
          `${path} sets a cookie by itself`,
        );
    }
    assert.equal(declared, cookieNames.length, 'a cookie has no literal name');
    assert.ok(cookieNames.length >= 5, String(cookieNames));
  });
});

/** Bytes around a name and a value that do not change which cookie it is, for a browser either. */
const blanks = ' \t';
/** The byte that separates two cookies. */
const separator = ';';

/** Where a byte can stand next to the name or the value, and which bytes leave the cookie what it is. */
const places: Readonly<
  Record<string, { write: (byte: string, name: string, value: string) => string; harmless: string }>
> = {
  'before the name': {
    write: (byte, name, value) => `${byte}${name}=${value}`,
    harmless: blanks + separator,
  },
  'behind the name': { write: (byte, name, value) => `${name}${byte}=${value}`, harmless: '' },
  'before the value': { write: (byte, name, value) => `${name}=${byte}${value}`, harmless: '' },
  'behind the value': {
    write: (byte, name, value) => `${name}=${value}${byte}`,
    harmless: blanks + separator,
  },
};

describe('every byte next to the name or the value of a cookie', () => {
  let service: TestService;
  let server: FastifyInstance;
  let port: number;
  /** A value that the service accepts, by the name of the cookie. */
  const values = new Map<string, string>();
  /** What the service reads from a request, by the name of the cookie. */
  const readers = new Map<string, (request: FastifyRequest) => string | undefined>();

  before(async () => {
    service = await testService('sqlite', publicMode);
    const { cookies, pages } = service.core;
    const tokens = cookieKinds.map((kind) => createToken(kind).token);
    for (const cookie of Object.values(cookies).filter((each) => each instanceof Cookie)) {
      const token = tokens.find((each) => cookie.read(`${cookie.name}=${each}`) === each);
      assert.ok(token !== undefined, cookie.name);
      values.set(cookie.name, token);
      readers.set(cookie.name, ({ headers }) => cookie.read(headers.cookie));
    }
    values.set('__Host-language', 'fr');
    readers.set('__Host-language', (request) => {
      const { language } = pages.translate(request);
      return language === 'fr' ? language : undefined;
    });
    for (const name of cookieNames) {
      if (values.has(name)) continue;
      // The cookie of a feature: its name passes through the same class.
      const cookie = new Cookie({
        name: name.slice('__Host-'.length),
        scope: { secure: true, prefix: '' },
        accepts: (value) => value === 'x',
      });
      values.set(name, 'x');
      readers.set(name, ({ headers }) => cookie.read(headers.cookie));
    }
    server = createServer(pino({ level: 'silent' }), { headers: {}, isClosed: false });
    server.get('/', async (request) =>
      cookieNames.filter((name) => readers.get(name)?.(request) === values.get(name)),
    );
    await server.listen({ host: '127.0.0.1', port: 0 });
    ({ port } = server.server.address() as AddressInfo);
  });
  after(async () => {
    await server.close();
    await service.close();
  });

  /** The names that the service reads from each of these Cookie headers, sent as bytes on one connection. */
  async function readAll(headers: readonly string[]): Promise<string[][]> {
    const requests = headers.map(
      (header, i) =>
        `GET / HTTP/1.1\r\nHost: localhost\r\nCookie: ${header}\r\n${i === headers.length - 1 ? 'Connection: close\r\n' : ''}\r\n`,
    );
    const { text } = await exchange(port, requests.join(''));
    return [...text.matchAll(/^(\[.*\])(?=HTTP\/1\.1|$)/gm)].map(
      ([, body]) => JSON.parse(body ?? '') as string[],
    ); // the reply of the route above
  }

  test('makes it another cookie, except for a space, a tab or a semicolon, at each position in the header', async () => {
    const plain = cookieNames.map((name) => `${name}=${values.get(name) ?? ''}`).join('; ');
    assert.deepEqual(await readAll([plain]), [cookieNames]);
    for (let code = 0; code < 256; code += 1) {
      const byte = String.fromCodePoint(code);
      // Each cookie is first, in the middle and last for some byte, and a decoy stands around all of them for others.
      const turn = code % cookieNames.length;
      const order = [...cookieNames.slice(turn), ...cookieNames.slice(0, turn)];
      const headers = Object.values(places).map(({ write }) =>
        order.map((name) => write(byte, name, values.get(name) ?? '')).join('; '),
      );
      const read = await readAll(headers);
      for (const [i, [place, { harmless }]] of Object.entries(places).entries()) {
        const expected = harmless.includes(byte) ? cookieNames : [];
        // Node refuses some control characters, and then answers nothing after them.
        assert.deepEqual(read[i] ?? [], expected, `the byte ${code.toString(16)} ${place}`);
      }
    }
  });

  test('does not help a nameless cookie, whose value a browser sends without an equals sign', async () => {
    for (const name of cookieNames) {
      const value = values.get(name) ?? '';
      const headers = [
        `=${name}=${value}`,
        `\xa0=${name}=${value}`,
        `"${name}=${value}"`,
        `\xc2\xa0${name}=${value}`,
      ];
      assert.deepEqual(
        await readAll(headers),
        headers.map(() => []),
      );
    }
  });
});

test('A41 fixation: a planted session cookie whose name only begins with a no-break space is ignored', async (t) => {
  const service = await PublicService.start('sqlite');
  t.after(() => service.close());
  const eve = await service.member();
  const victim = await service.member();
  const profile = async (cookie: string): Promise<unknown> =>
    (await service.send({ method: 'GET', path: '/profile', headers: { cookie } })).body;
  const own = `__Host-session_id=${victim.sessionId}`;
  for (const planted of ['\xa0', '\xa0\xa0', '\xad', '\x85', '\xc2\xa0'].map(
    (bytes) => `${bytes}__Host-session_id=${eve.sessionId}`,
  )) {
    assert.deepEqual(await profile(`${planted}; ${own}`), { email: victim.email });
    assert.deepEqual(await profile(`${own}; ${planted}`), { email: victim.email });
  }
});

// Attacks on the wire: requests that two parsers read differently, and tokens that leak through logs and referrers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createToken } from '../../src/kit/secret.ts';
import { sessionKind } from '../../src/identity/cookie-kinds.ts';
import { resetKind } from '../../src/identity/password/reset.ts';
import { exchange } from '../support/raw-connection.ts';
import { serviceOn } from '../support/running-service.ts';
import { bodyKinds, encodeFields, send } from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

/** The request that an attacker hides in another one: if the service reads it as a second request, it answers 404. */
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
const start =
  'POST /reset_password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n';
const hidden = `0\r\n\r\n${smuggled}`;
const none = `Content-Length: 0\r\n\r\n${smuggled}`;

const ambiguous: Record<string, string> = {
  'length before chunks (CL.TE)': `${start}Content-Length: ${hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n${hidden}`,
  'chunks before length (TE.CL)': `${start}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2e\r\n${smuggled}\r\n0\r\n\r\n`,
  'two transfer codings': `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${hidden}`,
  'a transfer coding after chunked': `${start}Transfer-Encoding: chunked, identity\r\n\r\n${hidden}`,
  'an unknown transfer coding': `${start}Transfer-Encoding: xchunked\r\n\r\n${hidden}`,
  'a space before the colon': `${start}Transfer-Encoding : chunked\r\n${none}`,
  'a vertical tab in a value': `${start}Transfer-Encoding:\x0bchunked\r\n${none}`,
  'strange capitals and a length': `${start}tRANSFER-ENCODING: CHUNKED\r\nContent-Length: 4\r\n\r\n${hidden}`,
  'two lengths': `${start}Content-Length: 0\r\nContent-Length: 40\r\n\r\n${smuggled}`,
  'one length twice': `${start}Content-Length: 0\r\n${none}`,
  'a list of lengths': `${start}Content-Length: 0, 40\r\n\r\n${smuggled}`,
  'a length with a plus': `${start}Content-Length: +0\r\n\r\n${smuggled}`,
  'a negative length': `${start}Content-Length: -1\r\n\r\n${smuggled}`,
  'a length in hexadecimal': `${start}Content-Length: 0x0\r\n\r\n${smuggled}`,
  'an empty length': `${start}Content-Length: \r\n\r\n${smuggled}`,
  'a length beyond all numbers': `${start}Content-Length: 99999999999999999999999\r\n\r\n${smuggled}`,
  'bare line feeds': `POST /reset_password HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n${smuggled}`,
  'a bare line feed after the headers': `${start}Content-Length: 0\r\n\n${smuggled}`,
  'a bare line feed in a header': `${start}X: a\n${none}`,
  'a bare carriage return in a header': `${start}X: a\r${none}`,
  'a folded header': `${start}X: a\r\n Content-Length: 40\r\n${none}`,
  'a folded transfer coding': `${start}Transfer-Encoding:\r\n chunked\r\n\r\n${hidden}`,
  'a NUL in a value': `${start}X: a\0b\r\n${none}`,
  'a NUL in a name': `${start}X\0: a\r\n${none}`,
  'a space in a name': `${start}X Y: a\r\n${none}`,
  'a name beyond ASCII': `${start}X\xff: a\r\n${none}`,
  'an empty name': `${start}: a\r\n${none}`,
  'a header without a colon': `${start}nonsense\r\n${none}`,
  'a space before the first header': `POST /reset_password HTTP/1.1\r\n Host: localhost\r\n${none}`,
  'a negative chunk': `${start}Transfer-Encoding: chunked\r\n\r\n-1\r\n${smuggled}`,
  'a chunk in 0x': `${start}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${smuggled}`,
  'a chunk beyond all numbers': `${start}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n${smuggled}`,
  'a space after the size of a chunk': `${start}Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n${smuggled}`,
  'a bare line feed after a chunk': `${start}Transfer-Encoding: chunked\r\n\r\n0\n\n${smuggled}`,
  'a line feed in a chunk extension': `${start}Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n${smuggled}`,
  'a chunk longer than it says': `${start}Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n${smuggled}`,
  'a length in a trailer': `${start}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 50\r\n\r\n${smuggled}`,
  'no Host': `POST /reset_password HTTP/1.1\r\n${none}`,
  'two Hosts': `GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n${smuggled}`,
  'two Hosts of one name': `GET / HTTP/1.1\r\nHost: localhost\r\nhOST: localhost\r\n\r\n${smuggled}`,
  'HTTP/0.9': `GET /\r\n${smuggled}`,
  'HTTP/1.2': `GET / HTTP/1.2\r\nHost: localhost\r\n\r\n${smuggled}`,
  'the preface of HTTP/2': `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${smuggled}`,
  'an unknown method': `FOO / HTTP/1.1\r\nHost: localhost\r\n${none}`,
  'a space in the target': `GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n${smuggled}`,
  'a carriage return in the target': `GET /a\rb HTTP/1.1\r\nHost: localhost\r\n\r\n${smuggled}`,
  'a NUL in the target': `GET /a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n${smuggled}`,
};

/** Unusual but unambiguous requests: their end is certain, and what follows is a request of its own. */
const clear: Record<string, readonly [text: string, statuses: readonly number[]]> = {
  'a body on a GET': [
    `GET /profile HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    [403],
  ],
  'pipelined requests': [`GET / HTTP/1.1\r\nHost: localhost\r\n\r\n${smuggled}`, [200, 404]],
  'chunks of a body': [
    `${start}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nemail\r\n0\r\n\r\n${smuggled}`,
    [400, 404],
  ],
  'a target with a host of its own': [
    'GET http://localhost/profile HTTP/1.1\r\nHost: localhost\r\n\r\n',
    [403],
  ],
  'a target with a foreign host': ['GET http://evil.test/profile HTTP/1.1\r\nHost: localhost\r\n\r\n', [421]],
};

describe('the wire', () => {
  let service: TestService;
  let port: number;
  before(async () => {
    service = await testService('sqlite');
    port = Number(new URL(await service.app.listen({ host: '127.0.0.1', port: 0 })).port);
  });
  after(() => service.close());

  for (const [name, text] of Object.entries(ambiguous)) {
    test(`A39 smuggling: ${name} is rejected once, and the connection is closed`, async () => {
      const { statuses, isClosed, text: reply } = await exchange(port, text);
      assert.deepEqual({ statuses, isClosed }, { statuses: [400], isClosed: true });
      assert.match(reply, /"code":"invalid_request"/);
    });
  }

  test('A39 smuggling: an unusual but unambiguous request ends where it declares', async () => {
    const last = 'GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    for (const [name, [text, statuses]] of Object.entries(clear)) {
      assert.deepEqual((await exchange(port, text + last)).statuses, [...statuses, 404], name);
    }
  });

  test('A39 smuggling: reads no further request after chunks in HTTP/1.0', async () => {
    const { statuses, isClosed } = await exchange(
      port,
      `${start.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n${hidden}`,
    );
    assert.deepEqual({ isSmuggled: statuses.includes(404), isClosed }, { isSmuggled: false, isClosed: true });
  });

  test('A39 header injection: no value of a request begins a header of the reply', async () => {
    for (const text of [
      'a@x.test\r\nSet-Cookie: a=b',
      'a@x.test%0d%0aSet-Cookie:a=b',
      '\u{560a}\u{560d}Set-Cookie: a=b@x.test',
    ]) {
      for (const kind of bodyKinds) {
        const reply = await send(service.app, {
          method: 'POST',
          path: '/users',
          kind,
          fields: { email: text, password: 'x' },
        });
        assert.deepEqual(reply.cookies, []);
      }
      for (const path of [`/${encodeURIComponent(text)}`, `/problems/${encodeURIComponent(text)}`]) {
        const reply = await send(service.app, {
          method: 'GET',
          path,
          headers: { 'x-request-id': encodeURIComponent(text) },
        });
        assert.deepEqual([reply.status, reply.cookies], [404, []]);
      }
    }
  });

  test('A55 referrer: every reply forbids referrers, and none redirects a browser to another site', async () => {
    const token = createToken(resetKind).token;
    for (const { method, url, isPage, isOtherProtocol } of service.routes) {
      const request = { method: method as 'GET', path: url.replace(':code', 'not_found') };
      const { headers, text } = await send(service.app, request);
      // A page without a secret in its address may send its own origin: forms of older browsers need that.
      const isOrigin = isPage && headers['referrer-policy'] === 'strict-origin';
      assert.ok(isOrigin || headers['referrer-policy'] === 'no-referrer', `${method} ${url}`);
      if (['/style.css', '/page.js', '/icon.svg', '/icon.png'].includes(url)) continue; // the same for all users
      if (isOtherProtocol) continue; // public documents may be cached, and a refusal may be a redirect
      assert.equal(headers['cache-control'], 'no-store');
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      const kinds = isPage ? /json|html/ : /json/;
      assert.match(text === '' ? 'json' : (headers['content-type'] as string), kinds, text); // a header of one value
    }
    for (const path of [`/reset_password?reset_token=${token}`, `/${token}`, `/%ZZ?token=${token}`]) {
      const { headers } = await send(service.app, { method: 'GET', path });
      assert.equal(headers['referrer-policy'], 'no-referrer', path);
    }
  });
});

test('A55 logs: logs no token and no password, wherever a request contains it', async (t) => {
  const running = await serviceOn(t, 'sqlite');
  const process = await running.start({ LOG_LEVEL: 'debug' });
  const port = Number(new URL(process.baseUrl).port);
  const secrets = [createToken(sessionKind).token, createToken(resetKind).token, 'CANARY-password'];
  for (const secret of secrets) {
    const inUrl = encodeURIComponent(secret);
    const json = { 'content-type': 'application/json' };
    const requests: readonly (readonly [path: string, init: RequestInit])[] = [
      [`/?token=${inUrl}`, {}],
      [`/reset_password?reset_token=${inUrl}&email=a`, {}],
      [`/reset_password?reset_token=${inUrl}`, { method: 'PUT' }],
      [`/profile#${inUrl}`, { headers: { cookie: `session_id=${secret}; x=${secret}` } }],
      ['/profile', { headers: { authorization: `Bearer ${secret}`, 'x-token': secret } }],
      ['/users', { method: 'POST', headers: json, body: `{"email":"a","password":"${secret}"` }],
      [
        '/users',
        { method: 'POST', headers: json, body: JSON.stringify({ email: secret, password: { a: secret } }) },
      ],
      ['/sessions', { method: 'POST', body: new URLSearchParams({ email: 'a@x.test', password: secret }) }],
      [
        '/sessions',
        {
          method: 'POST',
          body: new URLSearchParams({ email: `${secret.replaceAll('.', '-')}@x.test`, password: 'x' }),
        },
      ],
      [
        '/reset_password',
        {
          method: 'PUT',
          body: new URLSearchParams({ email: 'a@x.test', reset_token: secret, new_password: secret }),
        },
      ],
      ['/reset_password', { method: 'PATCH', body: secret, headers: { 'content-type': `text/${inUrl}` } }],
      [`/%ZZ?${inUrl}`, {}],
    ];
    for (const [path, init] of requests)
      await fetch(process.baseUrl + path, init).then((reply) => reply.text());
    await exchange(port, `GET /?token=${inUrl} HTTP/9.9\r\nCookie: ${secret}\r\n\r\n`);
    await exchange(
      port,
      `POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n${secret}`,
    );
    const { type, payload } = encodeFields('multipart', { email: secret, password: secret });
    await fetch(`${process.baseUrl}/users`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: payload.slice(0, -9),
    });
  }
  await process.stop();
  const log = process.lines.join('\n');
  assert.ok(process.lines.length > secrets.length * 12, 'there is a log');
  for (const secret of secrets) {
    for (const form of [secret, secret.split('.')[1] ?? secret, Buffer.from(secret).toString('base64')])
      assert.ok(!log.includes(form), form);
  }
});

// Attacks on addresses and on the mails that are sent to them, checked at a real SMTP server: its commands and what it
// received.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { dayMs, minuteMs } from '../../src/kit/clock.ts';
import { isSameAddress } from '../../src/user/email-address.ts';
import { onEachEngine } from '../support/engines.ts';
import { startMailCatcher, type CaughtMail, type MailCatcher } from '../support/mail-catcher.ts';
import { freshEmail } from '../support/person.ts';
import { publicMode, PublicService } from '../support/public-service.ts';
import { bodyKinds, send, type ContractRequest, type Reply } from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

const password = 'seven otters in a purple boat';

/** Routes that send mail: to a new address, a registered one, and a known one. */
const mailRoutes: readonly (readonly [
  method: ContractRequest['method'],
  path: string,
  more: Record<string, string>,
])[] = [
  ['POST', '/users', { password }],
  ['POST', '/reset_password', {}],
  ['POST', '/email_verification', {}],
];

describe('mails as they are received', () => {
  let catcher: MailCatcher;
  let service: TestService;
  before(async () => {
    catcher = await startMailCatcher();
    // Loopback is a trusted proxy, so that forwarded headers have all the effect that they can have.
    const environment = { ...publicMode, SMTP_URL: catcher.url, TRUSTED_PROXIES: '127.0.0.0/8, 10.0.0.0/8' };
    service = await testService('sqlite', environment);
  });
  after(async () => {
    await service.close();
    await catcher.close();
  });
  beforeEach(() => catcher.mails.splice(0));

  const ask = (request: ContractRequest): Promise<Reply> => send(service.app, request);
  const deliver = async (): Promise<readonly CaughtMail[]> => {
    await service.core.outbox.deliver();
    return catcher.mails;
  };

  const forgedHosts: Record<string, Readonly<Record<string, string>>> = {
    Host: { host: 'evil.test' },
    'Host with a port': { host: 'accounts.test:443@evil.test' },
    'Host with a path': { host: 'evil.test/?x=accounts.test' },
    'X-Forwarded-Host': { 'x-forwarded-host': 'evil.test' },
    'X-Forwarded-Host, several': { 'x-forwarded-host': 'evil.test, accounts.test' },
    Forwarded: { forwarded: 'for=192.0.2.1;host=evil.test;proto=http' },
    'X-Forwarded-Server': { 'x-forwarded-server': 'evil.test' },
    'X-Host': { 'x-host': 'evil.test' },
    'X-HTTP-Host-Override': { 'x-http-host-override': 'evil.test' },
    'X-Original-URL': { 'x-original-url': 'https://evil.test/', 'x-rewrite-url': 'https://evil.test/' },
    'X-Forwarded-Proto, -Port and -Prefix': {
      'x-forwarded-proto': 'http',
      'x-forwarded-port': '8666',
      'x-forwarded-prefix': '//evil.test',
    },
    Referer: { referer: 'https://evil.test/accounts.test' },
  };
  for (const [name, headers] of Object.entries(forgedHosts)) {
    test(`A1 forged host: ${name} changes no URL in any mail`, async () => {
      const email = freshEmail();
      for (const [method, path, more] of [...mailRoutes, ...mailRoutes]) {
        service.clock.advance(2 * minuteMs); // longer than the pause between two mails
        const reply = await ask({ method, path, fields: { email, ...more }, headers });
        assert.equal(reply.status, 200, reply.text);
        await deliver(); // a newer mail replaces one that waits
      }
      const mails = await deliver();
      assert.ok(mails.length >= 4, `${mails.length} mails`);
      for (const { parsed, raw } of mails) {
        const urls = [...(parsed.text ?? '').matchAll(/\b[a-z]+:\/\/[^\s,]*/gi)].map(([url]) =>
          url.replace(/\.$/, ''),
        );
        assert.ok(urls.length > 0);
        for (const url of urls) assert.equal(new URL(url).origin, 'https://accounts.test');
        assert.doesNotMatch(raw, /evil\.test|:8666/);
      }
    });
  }

  const lists: readonly string[] = [
    'a@x.test,b@y.test',
    'a@x.test, b@y.test',
    'a@x.test;b@y.test',
    'a@x.test b@y.test',
    'a@x.test\tb@y.test',
    'a@x.test\nBcc: b@y.test',
    'a@x.test\r\nBcc: b@y.test',
    'a@x.test%0ABcc:b@y.test',
    'a@x.test\u2028b@y.test',
    'a@x.test\0b@y.test',
    '<a@x.test>',
    'Eve <a@x.test>',
    'group: a@x.test, b@y.test;',
    '<a@x.test>,<b@y.test>',
    'a@x.test> RCPT TO:<b@y.test',
    'a@x.test|b@y.test@z.test',
    '@relay.test:a@x.test',
    'a@x.test(comment)',
    'a(,b@y.test)@x.test',
    'mailto:a@x.test?cc=b@y.test,',
  ];
  test('A3 list injection: rejects a value that names several recipients, and sends nothing', async () => {
    for (const email of lists) {
      for (const [method, path, more] of mailRoutes) {
        for (const kind of bodyKinds) {
          const reply = await ask({ method, path, kind, fields: { email, ...more } });
          assert.equal(reply.status, 400, `${kind} ${path} ${JSON.stringify(email)}: ${reply.text}`);
        }
      }
    }
    for (const [method, path, more] of mailRoutes) {
      for (const kind of bodyKinds) {
        const email = [freshEmail(), freshEmail()];
        assert.equal(
          (await ask({ method, path, kind, fields: { email, ...more } })).status,
          400,
          `${kind} ${path}`,
        );
      }
    }
    assert.deepEqual(await deliver(), []);
    const users = await service.core.database.query((sql) =>
      sql.selectFrom('users').selectAll().where('email', 'like', '%@x.test%'),
    );
    assert.deepEqual(users, []);
  });

  const misleading: readonly string[] = [
    '"e@attacker.test"@victim.test',
    '"e@attacker.test x"@victim.test',
    '"<e@attacker.test>"@victim.test',
    'e\\@attacker.test@victim.test',
    'e@attacker.test@victim.test',
    'e@attacker.test\u{ff20}victim.test',
    'e%attacker.test@victim.test',
    'attacker.test!e@victim.test',
    "o'brien+tag=a/b{c}|d~e^f`g@victim.test",
    'e@b\u{fc}cher.test',
    'e@xn--bcher-kva-2.test',
    'J\u{fc}rgen@victim.test',
    'e@[127.0.0.1]',
    'e@127.0.0.1',
    '=?utf-8?q?e=40attacker.test?=@victim.test',
    '&lt;e@victim.test',
  ];
  test('A4 misdelivery: sends mail to exactly the stored address, or rejects the address', async () => {
    let delivered = 0;
    for (const email of misleading) {
      catcher.mails.splice(0);
      const reply = await ask({ method: 'POST', path: '/users', fields: { email, password } });
      const users = await service.core.database.query((sql) =>
        sql.selectFrom('users').select('email').where('email', '=', email),
      );
      const mails = await deliver();
      if (reply.status === 200) {
        assert.equal(users.length, 1, email);
        for (const { recipients } of mails) {
          assert.equal(recipients.length, 1);
          assert.ok(
            isSameAddress(recipients[0] ?? '', email),
            `${email} was sent to ${recipients.join(' ')}`,
          );
          delivered += 1;
        }
      } else {
        assert.deepEqual([reply.status, users, mails], [400, [], []], email);
      }
    }
    assert.ok(delivered >= 5, `${delivered} were delivered`);
  });

  test('A8 markup in mails: a mail contains nothing that a user typed, except the address in its To header', async () => {
    const local = "a&b#{71*73}%24'x`=/?{c}|d";
    const email = `${local}@victim.test`;
    const headers = {
      'user-agent': '<a href=https://evil.test>',
      referer: '<b>evil',
      'accept-language': '<i>evil',
    };
    for (const [method, path, more] of mailRoutes) {
      const reply = await ask({
        method,
        path,
        fields: { email, name: '<a href=https://evil.test>', ...more },
        headers,
      });
      assert.equal(reply.status, 200, reply.text);
    }
    const mails = await deliver();
    assert.ok(mails.length >= 2);
    for (const { parsed } of mails) {
      assert.ok(!`${parsed.subject}${parsed.text}${parsed.html}`.includes(local));
      assert.doesNotMatch(`${parsed.subject}${parsed.text}`, /evil|href|<|5183/);
      assert.doesNotMatch(parsed.html ?? '', /evil|<b>|<i>|5183/);
      assert.ok((parsed.text ?? '').length < 1500, 'of bounded length');
    }
  });
});

/** Addresses that a person may take for each other. */
const families: readonly (readonly string[])[] = [
  ['Bob@X.test', ' bob@x.test', 'BOB@x.TEST\t', 'bob@\u{ff38}.test', 'bob@x\u{3002}test'],
  ['jos\u{e9}@x.test', 'jose\u{301}@x.test', 'JOS\u{c9}@x.test'],
  ['kelvin@x.test', '\u{212a}elvin@x.test'],
  ['e@b\u{fc}cher.test', 'E@B\u{dc}CHER.test', 'e@xn--bcher-kva.test', 'e@bu\u{308}cher.test'],
];
/** Addresses that look the same but belong to different people. */
const apart: readonly string[] = [
  'bob+tag@x.test',
  'b.o.b@x.test',
  'b\u{43e}b@x.test',
  'd\u{131}ana@x.test',
  'diana@x.test',
  '\u{ff42}ob@x.test',
  'e@b\u{fc}cher.example',
  'bob@\u{445}.test',
];
const refused: readonly string[] = [
  'bob\u{ff20}x.test',
  'bob\u{fe6b}x.test',
  'bob@x\u{200b}.test',
  'bo\u{ad}b@x.test',
  '\u{202e}bob@x.test',
  'bob@x.test\u{2069}x',
  'bob@x..test',
  'bob@-x.test',
  'bob@x.test:25',
  '\u{d800}@x.test',
];

onEachEngine('spellings of addresses', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const idsLike = async (like: string): Promise<number[]> => {
    const { database } = service.service.core;
    const rows = await database.query((sql) =>
      sql.selectFrom('users').select('id').where('email_key', 'like', like),
    );
    return rows.map(({ id }) => id);
  };
  const countOfUsers = async (): Promise<number> => (await idsLike('%')).length;

  test('A5 look-alikes: one address has one account, and mail goes to the stored spelling', async () => {
    for (const family of families) {
      // Until an address is confirmed, its newest registration sets the spelling.
      const stored = family.at(-1)?.trim().normalize('NFC');
      const earlier = await countOfUsers();
      for (const email of family)
        assert.equal((await service.post('/users', { email, password })).status, 200, email);
      assert.equal(await countOfUsers(), earlier + 1, family.join(' '));
      for (const email of family) {
        service.service.clock.advance(dayMs); // longer than any pause between two mails
        const sent = service.mails.length;
        assert.equal((await service.post('/reset_password', { email })).status, 200);
        await service.deliver();
        const recipients = service.mails.slice(sent).map(({ to }) => to);
        assert.deepEqual([...new Set(recipients)], [stored], `asked for as ${email}`);
      }
    }
    const earlier = await countOfUsers();
    for (const email of apart)
      assert.equal((await service.post('/users', { email, password })).status, 200, email);
    assert.equal(await countOfUsers(), earlier + apart.length);
    for (const email of refused) {
      for (const [method, path, more] of mailRoutes) {
        const reply = await service.send({ method, path, fields: { email, ...more }, kind: 'json' });
        assert.equal(reply.status, 400, `${path} ${JSON.stringify(email)}`);
      }
    }
    assert.equal(await countOfUsers(), earlier + apart.length);
  });

  test('A6 parallel spellings: parallel registrations of one address create one account', async () => {
    const tag = crypto.randomUUID();
    const spellings = [
      `Bob.${tag}@X.test`,
      ` bob.${tag}@x.test`,
      `BOB.${tag.toUpperCase()}@x.TEST`,
      `bob.${tag}@x.test `,
    ];
    const racers = Array.from({ length: 24 }, (_, i) =>
      service.post('/users', { email: spellings[i % 4] ?? '', password }),
    );
    const replies = await Promise.all(racers);
    // 503: on a busy machine a request may find no free connection to the database.
    const answered = replies.filter(({ status }) => status !== 503);
    assert.deepEqual([...new Set(answered.map(({ status }) => status))], [200]);
    assert.equal((await idsLike(`bob.${tag}%`)).length, 1);
    await service.post('/users', { email: `bob.${tag}+tag@x.test`, password });
    assert.equal((await idsLike(`bob.${tag}%`)).length, 2, 'an address with a plus tag is another mailbox');
  });
});

// `bienvenue doctor --mail` against a mail server that fails at each step: the step, the words of the server, the remedy.
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, describe, test, type TestContext } from 'node:test';
import { CommandHost } from '../support/program.ts';
import { startMailCatcher } from '../support/mail-catcher.ts';
import { temporaryFolder } from '../support/running-service.ts';

const host = new CommandHost();
after(() => host.close());

/** Instead of a reply: the server closes the connection. */
const closing = '';

/** A server that answers as the table says, by the beginning of the client's line; '' is the greeting. */
async function scripted(t: TestContext, replies: Readonly<Record<string, string>>): Promise<string> {
  const proper = { '': '220 hello', EHLO: '250-here\r\n250 AUTH PLAIN', AUTH: '235 fine', DATA: '354 go on' };
  const table: Readonly<Record<string, string>> = { ...proper, ...replies };
  const sockets = new Set<Socket>();
  const server = await new Promise<Server>((resolve) => {
    const listening = createServer((socket) => {
      sockets.add(socket);
      let isData = false;
      let content = '';
      socket.on('error', () => {});
      socket.write(`${table['']}\r\n`);
      socket.setEncoding('utf8').on('data', (text: string) => {
        if (isData) {
          content += text;
          if (!content.includes('\r\n.\r\n')) return;
          isData = false;
          content = '';
          socket.write(`${table['.'] ?? '250 taken'}\r\n`);
          return;
        }
        for (const line of text.split('\r\n').slice(0, -1)) {
          const key = Object.keys(table).find((start) => start !== '' && line.startsWith(start));
          const reply = table[key ?? ''] ?? '';
          if (key === 'DATA') isData = reply.startsWith('354');
          if (key !== undefined && reply === closing) {
            socket.destroy();
            return;
          }
          socket.write(`${key === undefined ? '250 fine' : reply}\r\n`);
        }
      });
    }).listen(0, '127.0.0.1', () => resolve(listening));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

async function mailFinding(t: TestContext, url: string, more = {}): Promise<{ code: unknown; says: string }> {
  const environment = {
    DATA_DIR: await temporaryFolder(t),
    PORT: '0',
    SMTP_URL: url,
    MAIL_FROM: 'Konten <konten@bücher.example>',
    ...more,
  };
  const { code, stdout } = await host.run(['doctor', '--mail', 'you@example.org', '--json'], { environment });
  const findings = JSON.parse(stdout) as { about: string; says: string }[];
  const says = findings.find(({ about }) => about === 'mail')?.says ?? '';
  assert.doesNotMatch(stdout, /hunter2/);
  return { code, says };
}

describe('doctor --mail', () => {
  test('sends a mail and prints the answer of the server', async (t) => {
    const catcher = await startMailCatcher();
    t.after(() => catcher.close());
    const { code, says } = await mailFinding(t, catcher.url, { MAIL_EHLO_NAME: 'mail.example.org' });
    assert.equal(code, 0);
    assert.match(says, /^smtp:\/\/127\.0\.0\.1:\d+ accepted an email to you@example\.org: 250 /);
    const [mail] = catcher.mails;
    assert.deepEqual(mail?.recipients, ['you@example.org']);
    assert.match(mail?.raw ?? '', /^Message-ID: <[^@>]+@xn--bcher-kva\.example>/m);
    assert.match(mail?.raw ?? '', /^From: Konten <konten@xn--bcher-kva\.example>/m);
  });

  /** The failing step, what the server answers there, and words of the finding. */
  const steps: Readonly<Record<string, [replies: Readonly<Record<string, string>>, says: RegExp]>> = {
    greeting: [{ '': '554 go away' }, /554 go away.*refuses mail from this machine/],
    EHLO: [
      { EHLO: '504 a full name please', HELO: '504 a full name please' },
      /504 a full name.*MAIL_EHLO_NAME/,
    ],
    authentication: [{ AUTH: '535 wrong password' }, /535 wrong password.*user and password in SMTP_URL/],
    sender: [{ MAIL: '553 not your address' }, /553 not your address.*MAIL_FROM/],
    recipient: [{ RCPT: '550 no such user' }, /550 no such user/],
    data: [{ '.': '554 looks like spam' }, /554 looks like spam/],
  };
  for (const [step, [replies, says]] of Object.entries(steps))
    test(`names the step ${step} with the words of the server and the remedy`, async (t) => {
      const at = await scripted(t, replies);
      const finding = await mailFinding(t, `smtp://user:hunter2@${at}`);
      assert.equal(finding.code, 1);
      assert.ok(finding.says.includes(` failed at the step "${step}": `), finding.says);
      assert.match(finding.says, says);
    });

  /** Replies that say more than the step at which they come: the step of the finding, and its words. */
  const sayingMore: readonly [replies: Readonly<Record<string, string>>, step: string, says: RegExp][] = [
    [
      { MAIL: '530 5.7.0 Authentication required' },
      'authentication',
      /write user and password into SMTP_URL/,
    ],
    [{ RCPT: '530 5.7.1 Please log in' }, 'authentication', /write user and password into SMTP_URL/],
    [{ MAIL: '530 5.7.0 Must issue a STARTTLS command first' }, 'TLS', /requires TLS on this port/],
    [{ '': '421 too many connections' }, 'greeting', /421 too many.*The refusal is temporary/],
    [{ MAIL: '451 greylisted' }, 'sender', /451 greylisted.*The refusal is temporary/],
    [{ RCPT: '450 greylisted' }, 'recipient', /450 greylisted.*The refusal is temporary/],
    [{ DATA: '452 too busy' }, 'data', /452 too busy.*The refusal is temporary/],
    [{ '.': '451 try later' }, 'data', /451 try later.*The refusal is temporary/],
  ];
  for (const [replies, step, says] of sayingMore)
    test(`explains ${JSON.stringify(replies)} as a fault of the step ${step}`, async (t) => {
      const finding = await mailFinding(t, `smtp://${await scripted(t, { EHLO: '250 here', ...replies })}`);
      assert.equal(finding.code, 1);
      assert.ok(finding.says.includes(` failed at the step "${step}": `), finding.says);
      assert.match(finding.says, says);
    });

  for (const [command, step] of [
    ['AUTH', 'authentication'],
    ['MAIL', 'sender'],
    ['RCPT', 'recipient'],
    ['DATA', 'data'],
  ] as const)
    test(`says that the server closed the connection after ${command}, and quotes no words of it`, async (t) => {
      const at = await scripted(t, { [command]: closing });
      const { code, says } = await mailFinding(t, `smtp://user:hunter2@${at}`);
      assert.equal(code, 1);
      assert.match(
        says,
        new RegExp(` failed at the step "${step}": .*\\. The mail server gave no answer\\.`),
      );
    });

  for (const offered of ['250 here', '250-here\r\n250 AUTH XOAUTH2', '250-here\r\n250 AUTH GSSAPI'])
    test(`does not send a mail without the login of SMTP_URL to a server with ${JSON.stringify(offered)}`, async (t) => {
      const at = await scripted(t, { EHLO: offered, AUTH: '502 command not implemented' });
      const { code, says } = await mailFinding(t, `smtp://user:hunter2@${at}`);
      assert.equal(code, 1);
      assert.match(says, /failed at the step "authentication": /);
    });

  test('names the steps before the first word of the server', async (t) => {
    const plain = await scripted(t, {});
    const tls = await mailFinding(t, `smtps://${plain}`);
    assert.match(tls.says, /failed at the step "TLS": .*smtps:\/\/ is for a port with TLS/);
    const closed = await mailFinding(t, 'smtp://127.0.0.1:1');
    assert.match(closed.says, /failed at the step "connection": .*ECONNREFUSED/);
    const unknown = await mailFinding(t, 'smtp://mail.nonsense.invalid:587');
    assert.match(unknown.says, /failed at the step "name resolution": /);
  });

  test('shows control characters of the server instead of sending them to the terminal', async (t) => {
    const escape = '\u001B]0;title\u0007\u001B[2J \u009B31m';
    for (const replies of [{ RCPT: `550 ${escape}` }, { '.': `250 ${escape}` }, { '.': `554 ${escape}` }]) {
      const environment = {
        DATA_DIR: await temporaryFolder(t),
        PORT: '0',
        SMTP_URL: `smtp://${await scripted(t, replies)}`,
        MAIL_FROM: 'accounts@example.org',
      };
      for (const form of [[], ['--json']]) {
        const { stdout } = await host.run(['doctor', '--mail', 'you@example.org', ...form], { environment });
        assert.match(stdout, /\\u001b\]0;title/);
        assert.doesNotMatch(stdout.replaceAll('\n', ''), /\p{Cc}/u);
      }
    }
  });

  test('says that no mail server is configured, and that the recipient is no address', async (t) => {
    const none = await mailFinding(t, '');
    assert.match(none.says, /no mail server is configured; set SMTP_URL and MAIL_FROM/);
    const environment = { DATA_DIR: await temporaryFolder(t), PORT: '0' };
    const { code, stderr } = await host.run(['doctor', '--mail', 'nonsense'], { environment });
    assert.equal(code, 2);
    assert.match(stderr, /nonsense is not a valid email address/);
  });
});

// The operator's logo, from the option to the mail as a mail reader receives it.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Environment } from '../../src/config/read-options.ts';
import { startMailCatcher, type CaughtMail } from '../support/mail-catcher.ts';
import { freshEmail } from '../support/person.ts';
import { publicMode } from '../support/public-service.ts';
import { memberOf, send, type Reply } from '../support/request.ts';
import { temporaryFolder } from '../support/running-service.ts';
import { testService } from '../support/service.ts';
import { lacks } from '../support/feature.ts';

/** The smallest valid PNG: one pixel. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=',
  'base64',
);

async function logoFile(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder({ after: (work) => t.after(work) }), 'logo.png');
  await writeFile(path, png);
  return path;
}

/** The mail of a registration as it went through a real mail server, and the stored mail. */
async function mailOf(environment: Environment): Promise<{ mail: CaughtMail; kept: string }> {
  const catcher = await startMailCatcher();
  const service = await testService('sqlite', { ...publicMode, SMTP_URL: catcher.url, ...environment });
  try {
    const fields = { email: freshEmail(), password: 'seven otters under a green umbrella' };
    const { status } = await send(service.app, { method: 'POST', path: '/users', fields });
    assert.equal(status, 200);
    const [kept = assert.fail('no mail waits')] = await service.core.outbox.listKept(1);
    assert.equal(await service.core.outbox.deliver(), 1);
    const [mail = assert.fail('no mail came')] = catcher.mails;
    return { mail, kept: JSON.stringify(kept) };
  } finally {
    await service.close();
    await catcher.close();
  }
}

const pictures = (text = ''): readonly string[] => text.match(/<img\b[^>]*>/g) ?? [];

describe('PRODUCT_LOGO', () => {
  test('a mail contains its logo as one inline part that its HTML references, and loads nothing from other hosts', async (t) => {
    const { mail, kept } = await mailOf({
      PRODUCT_LOGO: await logoFile(t),
      PRODUCT_NAME: 'Tarte & "Express"',
    });
    const { attachments, html, text } = mail.parsed;
    assert.equal(attachments.length, 1);
    const [{ contentId, content, disposition, mimeType, related } = assert.fail()] = attachments;
    assert.deepEqual([disposition, mimeType, related], ['inline', 'image/png', true]);
    assert.deepEqual(Buffer.from(content as ArrayBuffer), png); // postal-mime returns bytes unless text is requested
    const [picture = '', ...more] = pictures(html);
    assert.deepEqual(more, []);
    assert.ok(picture.includes(` src="cid:${contentId?.slice(1, -1)}" `), picture);
    assert.ok(picture.includes(' alt="Tarte &#38; &#34;Express&#34;" '), picture);
    assert.doesNotMatch(text ?? '', /cid:|logo/);
    assert.ok(
      !kept.includes(png.toString('base64', 0, 30)) && kept.length < 20_000,
      'its bytes are not stored',
    );
  });

  test('without a logo a mail contains no picture and no attachment', async () => {
    const { parsed, raw } = (await mailOf({})).mail;
    assert.deepEqual([parsed.attachments, pictures(parsed.html)], [[], []]);
    assert.doesNotMatch(raw, /multipart\/(?:related|mixed)|content-id/i);
  });

  test('the mailbox of local mode shows the logo, at an address that the policy of the page allows', async (t) => {
    if (lacks(t, 'mailbox')) return;
    const service = await testService('sqlite', { PRODUCT_LOGO: await logoFile(t) });
    t.after(service.close);
    const ask = (path: string): Promise<Reply> => send(service.app, { method: 'GET', path });
    const email = freshEmail();
    await service.core.auth.registerUser(email, 'b4l0u');
    await service.core.auth.setPassword(email, 'another one');
    const [kept = assert.fail('no mail was kept')] = await service.core.outbox.listKept(1);
    const page = await ask(`/dev/mailbox/${kept.id}`);
    const [picture = ''] = pictures(page.text);
    const path = / src="([^"]+)"/.exec(picture)?.[1] ?? '';
    assert.match(String(page.headers['content-security-policy']), /; img-src 'self';/);
    const { rawPayload, headers } = await service.app.inject({ method: 'GET', url: path });
    assert.deepEqual([rawPayload, headers['content-type']], [png, 'image/png']);
    const { body } = await ask('/dev/mailbox');
    const [{ html = '' } = assert.fail()] = memberOf(body, 'mails') as { html?: string }[]; // the mailbox's own reply
    assert.match(html, /src="cid:/, 'a program gets it as it would be sent');
  });

  test('without a logo the mailbox shows none', async (t) => {
    if (lacks(t, 'mailbox')) return;
    const service = await testService('sqlite');
    t.after(service.close);
    assert.equal((await send(service.app, { method: 'GET', path: '/dev/mailbox/logo' })).status, 404);
  });
});

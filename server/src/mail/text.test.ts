import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { languages } from '../kit/language.ts';
import { allMails } from '../app/event-list.ts';
import type { MailKind } from './mail-kind.ts';
import type { Letter } from './mail-kind.ts';
import { composeMail, type Sender } from './text.ts';
import { lacks } from '../../test/support/feature.ts';

const publicUrl = 'https://accounts.example.org';
const sender: Sender = { productName: 'Bienvenue', publicUrl, color: '#1a56c4' };
const occasion = {
  at: Date.UTC(2026, 10, 21, 4, 5),
  address: '192.0.2.7',
  device: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
};
const escaped = (text: string): string => text.replaceAll('&', '&#38;').replaceAll('=', '&#61;');

function mailOf(name: string): MailKind {
  return allMails.find((mail) => mail.name === name) ?? assert.fail(`There is no mail ${name}`);
}

function compose(
  { name, example, ...mail }: MailKind,
  { facts = example, ...more }: Partial<Letter> & { facts?: unknown } = {},
  from = sender,
): ReturnType<typeof composeMail> {
  const outline = mail.compose(facts);
  return composeMail(from, { kind: name, outline, occasion, language: 'en', ...more });
}

describe('a composed mail', () => {
  for (const language of languages()) {
    for (const mail of allMails) {
      test(`${mail.name} in ${language} has time, source and instructions, as text and as HTML`, () => {
        const { subject, text, html } = compose(mail, { language });
        assert.ok(subject.includes('Bienvenue') && !/[\r\n]/.test(subject));
        for (const part of [text, html]) {
          assert.match(part, /2026/);
          assert.match(part, /04:05 UTC/);
          assert.match(part, /Firefox, Linux \(192\.0\.2\.7\)/);
          assert.ok(!part.includes('undefined') && !part.includes('[object'));
        }
        const { code, undoLink, link = undoLink } = mail.compose(mail.example);
        assert.equal(text.includes('K7QM-2NXP'), code !== undefined);
        assert.equal(html.includes('K7QM-2NXP'), code !== undefined);
        if (link !== undefined) assert.ok(text.split('\n').includes(link), 'on a separate line');
        if (language === 'fr')
          assert.doesNotMatch(
            text,
            /[^\u00a0]:(?:\s|$)/,
            'French has a no-break space (U+00A0) before each colon',
          );
        assert.equal(html.includes('class="act"'), link !== undefined);
        if (link !== undefined) assert.ok(html.includes(`href="${escaped(link)}"`));
        assert.ok(html.includes(`<html lang="${language}"`));
        const addresses = [...`${text}${html}`.matchAll(/https?:\/\/[^\s"<]+/g)].map(([address]) => address);
        for (const address of addresses) assert.ok(address.startsWith(publicUrl), address);
        assert.doesNotMatch(html, /<(?:img|script|link|iframe)\b/i);
      });
    }
  }

  for (const mail of allMails) {
    const { link, undoLink } = mail.compose(mail.example);
    if (link === undefined && undoLink === undefined) continue;
    test(`${mail.name}: a link that was requested comes before "If this wasn’t you", one that undoes comes after it`, () => {
      assert.equal(undoLink === undefined, mail.isRequested);
      const { text, html } = compose(mail);
      for (const [part, address] of [
        [text, link ?? undoLink ?? ''],
        [html, escaped(link ?? undoLink ?? '')],
      ] as const)
        assert.equal(part.indexOf(address) > part.indexOf('this wasn’t you'), undoLink !== undefined);
    });
  }

  test('without a code does not mention one', () => {
    const { text } = compose(mailOf('reset_password'), {
      facts: { link: publicUrl, code: undefined, minutes: 60, codeMinutes: 10 },
    });
    assert.doesNotMatch(text, /type this code/);
  });

  for (const mail of allMails) {
    test(`${mail.name} with a logo has one more picture in the HTML, and no other difference`, () => {
      const logo = { type: 'image/png', content: Buffer.from('its bytes') } as const;
      const [without, { html, ...rest }] = [compose(mail), compose(mail, {}, { ...sender, logo })];
      assert.deepEqual({ ...rest, html: html.replace(/<img src="cid:[^>]*>/, '') }, without);
      assert.notEqual(html, without.html);
      assert.ok(!html.includes('its bytes'));
    });
  }

  test('A8 mail injection: values from users cannot imitate the logo', (t) => {
    if (lacks(t, 'email-change')) return;
    const evil = 'src="cid:logo@bienvenue"';
    const change = { newEmail: evil, undoLink: publicUrl };
    const { html } = compose(mailOf('email_changed'), { facts: change }, { ...sender, productName: evil });
    assert.ok(!html.includes(evil));
  });

  test('A8 mail injection: values from users are unchanged in the text and escaped in the HTML', (t) => {
    if (lacks(t, 'email-change')) return;
    const evil = '<a href="https://evil.test">press</a>"\'&';
    const { text, html } = compose(
      mailOf('email_changed'),
      { facts: { newEmail: evil, undoLink: publicUrl }, occasion: { ...occasion, device: evil } },
      { ...sender, productName: evil },
    );
    assert.ok(text.includes(evil)); // the product name of the operator and the address of the user
    assert.doesNotMatch(html, /<a href="https:\/\/evil/);
  });

  for (const device of [
    'https://evil.test/1.0',
    'evil.test/2 (press)',
    'x'.repeat(10_000),
    '',
    '<b>x</b>',
    'a.b',
  ])
    test(`A8 mail injection: the user agent ${device.slice(0, 30)} cannot put a link into a mail`, () => {
      const { text, html } = compose(mailOf('new_device'), { occasion: { ...occasion, device } });
      assert.ok(text.length < 1500);
      for (const part of [text, html]) assert.doesNotMatch(part, /evil|<b>|a\.b|x{50}/);
    });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { languages } from '../kit/language.ts';
import { composeMail, type Letter, type MailFacts, type MailKind, type Sender } from './text.ts';

const sender: Sender = { productName: 'Bienvenue', publicUrl: 'https://accounts.test', color: '#1a56c4' };
const link = 'https://accounts.test/reset?email=bob%40example.org&token=abc.rst_x';
const proof = { link, code: 'K7QM-2NXP', minutes: 60, codeMinutes: 10 };
const facts: MailFacts = {
  email_verification: { ...proof, minutes: 1440 },
  reset_password: proof,
  sign_in: { ...proof, minutes: 10 },
  email_change: proof,
  email_changed: { newEmail: 'new@example.org', undoLink: link, undoHours: 72 },
  email_change_undone: {},
  deletion_requested: { deleteAt: Date.UTC(2026, 11, 5), undoLink: link },
  deletion_undone: {},
  already_registered: {},
  password_changed: {},
  new_device: {},
  first_factor: {
    factor: 'passkey',
    undoLink: 'https://accounts.test/account/factors/undo?token=t',
    undoHours: 72,
  },
  factor_undone: {},
  factor_changed: { factor: 'totp', action: 'added' },
  recovery_code_used: { left: 2 },
  factors_reset: {},
};
const occasion = {
  at: Date.UTC(2026, 10, 21, 4, 5),
  address: '192.0.2.7',
  device: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
};
const kinds = Object.keys(facts) as MailKind[]; // its own keys
const escaped = (text: string): string => text.replaceAll('&', '&#38;').replaceAll('=', '&#61;');

function compose<K extends MailKind>(
  kind: K,
  more: Partial<Letter<K>> = {},
  from = sender,
): ReturnType<typeof composeMail> {
  return composeMail(from, { kind, facts: facts[kind], occasion, language: 'en', ...more });
}

describe('a mail', () => {
  for (const language of languages()) {
    for (const kind of kinds) {
      test(`${kind} in ${language}: says when, from where and what to do, as text and as html`, () => {
        const { subject, text, html } = compose(kind, { language });
        assert.ok(subject.includes('Bienvenue') && !/[\r\n]/.test(subject));
        for (const part of [text, html]) {
          assert.match(part, /2026/);
          assert.match(part, /04:05 UTC/);
          assert.match(part, /Firefox, Linux \(192\.0\.2\.7\)/);
          assert.ok(!part.includes('undefined') && !part.includes('[object'));
        }
        const { code } = facts[kind] as { code?: string };
        assert.equal(text.includes('K7QM-2NXP'), code !== undefined);
        assert.equal(html.includes('K7QM-2NXP'), code !== undefined);
        const hasLink = Object.values(facts[kind]).includes(link);
        assert.equal(text.split('\n').includes(link), hasLink, 'on a line of its own');
        assert.equal(html.includes(`href="${escaped(link)}"`), hasLink);
        assert.ok(html.includes(`<html lang="${language}"`));
        const addresses = [...`${text}${html}`.matchAll(/https?:\/\/[^\s"<]+/g)].map(([address]) => address);
        for (const address of addresses) assert.ok(address.startsWith('https://accounts.test'), address);
        assert.doesNotMatch(html, /<(?:img|script|link|iframe)\b/i);
      });
    }
  }

  test('without a code, which a program that asks has no use for, says nothing of one', () => {
    const { text } = compose('reset_password', { facts: { ...proof, code: undefined } });
    assert.doesNotMatch(text, /type this code/);
  });

  for (const kind of kinds) {
    test(`${kind}: a logo is one picture more in the html, and changes nothing else`, () => {
      const logo = { type: 'image/png', content: Buffer.from('its bytes') } as const;
      const [without, { html, ...rest }] = [compose(kind), compose(kind, {}, { ...sender, logo })];
      assert.deepEqual({ ...rest, html: html.replace(/<img src="cid:[^>]*>/, '') }, without);
      assert.notEqual(html, without.html);
      assert.ok(!html.includes('its bytes'));
    });
  }

  test('A8 mail injection: nothing that people chose passes for the logo', () => {
    const evil = 'src="cid:logo@bienvenue"';
    const change = { newEmail: evil, undoLink: link, undoHours: 72 };
    const { html } = compose('email_changed', { facts: change }, { ...sender, productName: evil });
    assert.ok(!html.includes(evil));
  });

  test('A8 mail injection: what people chose stands as they wrote it in the text, and is escaped in the html', () => {
    const evil = '<a href="https://evil.test">press</a>"\'&';
    const { text, html } = compose(
      'email_changed',
      { facts: { newEmail: evil, undoLink: link, undoHours: 72 }, occasion: { ...occasion, device: evil } },
      { ...sender, productName: evil },
    );
    assert.ok(text.includes(evil)); // the owner's own product and address
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
    test(`A8 mail injection: nothing of the device ${device.slice(0, 30)} is told that a reader could press`, () => {
      const { text, html } = compose('new_device', { occasion: { ...occasion, device } });
      assert.ok(text.length < 1500);
      for (const part of [text, html]) assert.doesNotMatch(part, /evil|<b>|a\.b|x{50}/);
    });
});

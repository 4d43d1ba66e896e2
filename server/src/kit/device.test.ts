// Tests which names of devices appear in mails and on pages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameDevice } from './device.ts';

const gecko = 'Gecko/20100101 Firefox/145.0';
const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const apple = 'AppleWebKit/605.1.15 (KHTML, like Gecko)';
const windows = 'Windows NT 10.0; Win64; x64';
const mac = 'Macintosh; Intel Mac OS X 10_15_7';
const phone = 'iPhone; CPU iPhone OS 18_7 like Mac OS X';
const android = 'Linux; Android 10; K';

const real: readonly (readonly [string, string])[] = [
  [`Mozilla/5.0 (X11; Linux x86_64; rv:145.0) ${gecko}`, 'Firefox, Linux'],
  [`Mozilla/5.0 (${windows}; rv:145.0) ${gecko}`, 'Firefox, Windows'],
  [`Mozilla/5.0 (${windows}) ${webkit} Chrome/142.0.0.0 Safari/537.36`, 'Chrome, Windows'],
  [
    `Mozilla/5.0 (${windows}) ${webkit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0`,
    'Microsoft Edge, Windows',
  ],
  [`Mozilla/5.0 (${windows}) ${webkit} Chrome/142.0.0.0 Safari/537.36 OPR/125.0.0.0`, 'Opera, Windows'],
  [`Mozilla/5.0 (${windows}) ${webkit} Chrome/142.0.0.0 Safari/537.36 Vivaldi/7.7`, 'Vivaldi, Windows'],
  [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webkit} Chrome/142.0.0.0 Safari/537.36`, 'Chrome, Chrome OS'],
  [`Mozilla/5.0 (${mac}) ${apple} Version/26.0 Safari/605.1.15`, 'Safari, macOS'],
  [`Mozilla/5.0 (${phone}) ${apple} Version/26.0 Mobile/15E148 Safari/604.1`, 'Safari, iOS'],
  [`Mozilla/5.0 (${phone}) ${apple} CriOS/142.0.0.0 Mobile/15E148 Safari/604.1`, 'Chrome, iOS'],
  [`Mozilla/5.0 (${phone}) ${apple} FxiOS/145.0 Mobile/15E148 Safari/605.1.15`, 'Firefox, iOS'],
  [`Mozilla/5.0 (${android}) ${webkit} Chrome/142.0.0.0 Mobile Safari/537.36`, 'Chrome, Android'],
  [`Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0`, 'Firefox, Android'],
  [
    `Mozilla/5.0 (${android}) ${webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
    'Samsung Internet for Android, Android',
  ],
];

/** Text that a client would put into the mail of someone else. */
const hostile = [
  'Hacked call now 18005551234',
  'Call 1 800 555 1234',
  'evil example com',
  'evil.example',
  'https://evil.example/reset',
  '<a href=x>',
  'Security Team',
  'Firefox call 18005551234',
];

test('a device is named by its browser and its operating system', () => {
  for (const [userAgent, name] of real) assert.equal(nameDevice(userAgent), name, userAgent);
  for (const none of [undefined, '', 'curl/8.14.1', 'node', 'python-requests/2.32'])
    assert.equal(nameDevice(none), undefined, none);
});

test('no text of a user agent becomes part of the name', () => {
  const names = new Set(real.flatMap(([, name]) => name.split(', ')));
  const forms = [
    (text: string) => text,
    (text: string) => `${text}/1 (x) y`,
    (text: string) => `${text}/1`,
    (text: string) => `${text} 1 (x)`,
    (text: string) => `Mozilla/5.0 (${text}) ${text}/1`,
    (text: string) => `Mozilla/5.0 (${windows}) ${text}/1`,
    (text: string) => `Mozilla/5.0 (${text}; rv:145.0) ${gecko}`,
    ...real.map(
      ([userAgent]) =>
        (text: string) =>
          `${text}/1 ${userAgent}`,
    ),
    ...real.map(
      ([userAgent]) =>
        (text: string) =>
          `${userAgent} ${text}/1`,
    ),
  ];
  const isKnown = (userAgent: string): boolean =>
    (nameDevice(userAgent)?.split(', ') ?? []).every((name) => names.has(name));
  for (const text of hostile) for (const form of forms) assert.ok(isKnown(form(text)), form(text));
  const parts = fc.array(fc.constantFrom(...hostile, '/', '1', ' ', '(', ')', ';', 'Mozilla', 'Version'));
  fc.assert(fc.property(parts, (some) => isKnown(some.join(''))));
});

import type BowserLibrary from 'bowser';
import { createRequire } from 'node:module';

/** Names that may appear. The parser of user agents also returns names that the client made up. */
const browsers: ReadonlySet<string | undefined> = new Set([
  'Amazon Silk',
  'Android Browser',
  'Brave',
  'Chrome',
  'Chromium',
  'DuckDuckGo',
  'Epiphany',
  'Firefox',
  'Google Search',
  'Internet Explorer',
  'LibreWolf',
  'Microsoft Edge',
  'NAVER Whale Browser',
  'Opera',
  'Pale Moon',
  'QQ Browser',
  'Safari',
  'Samsung Internet for Android',
  'SeaMonkey',
  'UC Browser',
  'Vivaldi',
  'WeChat',
  'Yandex Browser',
]);
const systems: ReadonlySet<string | undefined> = new Set([
  'Android',
  'Chrome OS',
  'HarmonyOS',
  'iOS',
  'Linux',
  'macOS',
  'Tizen',
  'Windows',
  'Windows Phone',
]);

/**
 * Returns the browser and the operating system that a user agent names, such as `Firefox, Linux`; `undefined` if it
 * names none of the known ones. No text of the header ever appears in a mail: an attacker who triggers a mail to a
 * stranger chooses the header, and could put a link or a telephone number into it.
 */
export function nameDevice(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined || userAgent === '') return undefined;
  const load = createRequire(import.meta.url);
  const { parse } = load('bowser') as typeof BowserLibrary; // its own types; loaded at the first use
  const { browser, os } = parse(userAgent.slice(0, 500));
  const names = [
    ...(browsers.has(browser.name) ? [browser.name] : []),
    ...(systems.has(os.name) ? [os.name] : []),
  ];
  return names.length === 0 ? undefined : names.join(', ');
}

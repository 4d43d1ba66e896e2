import type BowserLibrary from 'bowser';
import { createRequire } from 'node:module';

/** A short name without dots or slashes, so that no mail client turns it into a link. */
const plainName = /^[a-z][a-z0-9 ]{0,30}$/i;

/**
 * Returns the browser and the operating system that a user agent names, such as `Firefox, Linux`; `undefined` if it
 * names neither. The raw header never appears in a mail: an attacker who triggers a mail to a stranger chooses the
 * header, and could put a phishing link into it.
 */
export function nameDevice(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined || userAgent === '') return undefined;
  const load = createRequire(import.meta.url);
  const { parse } = load('bowser') as typeof BowserLibrary; // its own types; loaded at the first use
  const { browser, os } = parse(userAgent.slice(0, 500));
  const names = [browser.name, os.name].filter((name) => plainName.test(name ?? ''));
  return names.length === 0 ? undefined : names.join(', ');
}

import type BowserLibrary from 'bowser';
import { createRequire } from 'node:module';

/** A word or two, of which no reader of mails makes a link. */
const plainName = /^[a-z][a-z0-9 ]{0,30}$/i;

/**
 * The programs that a user agent names: `Firefox, Linux`. Never the text itself: whoever asks for a mail to a stranger
 * chooses it, and would have us deliver his link.
 */
export function nameDevice(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined || userAgent === '') return undefined;
  const load = createRequire(import.meta.url);
  const { parse } = load('bowser') as typeof BowserLibrary; // its own types; loaded with the first one
  const { browser, os } = parse(userAgent.slice(0, 500));
  const names = [browser.name, os.name].filter((name) => plainName.test(name ?? ''));
  return names.length === 0 ? undefined : names.join(', ');
}

import assert from 'node:assert/strict';
import type { Browser } from './browser.ts';
import { unescapeMarkup } from './markup.ts';
import type { Reply } from './request.ts';

/** The Accept header of a browser. */
export const asPage = { accept: 'text/html,application/xhtml+xml' };

/** The form of a page: its target, and its filled fields as a browser reads them. */
export function formIn({ text }: Reply): { action: string; fields: Record<string, string> } {
  const [, action = '', inputs = ''] =
    /<form method="post" action="([^"]+)"([\s\S]*?)<\/form>/.exec(text) ?? assert.fail(text);
  const filled = [...inputs.matchAll(/<input type="(?:hidden|text)" name="([^"]+)" value="([^"]*)"/g)];
  return {
    action,
    fields: Object.fromEntries(filled.map(([, name = '', value = '']) => [name, unescapeMarkup(value)])),
  };
}

/** The seed that the page of a new authenticator app shows for typing. */
export function secretIn({ text }: Reply): string {
  const [, seed = ''] = /<code data-copy="[^"]*">([A-Z2-7 ]+)<\/code>/.exec(text) ?? assert.fail(text);
  return seed.replaceAll(' ', '');
}

/** Opens the page that a mail links to and presses its button. */
export async function pressButton(
  at: Browser,
  path: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const page = await at.get(path, asPage);
  assert.equal(page.status, 200, page.text);
  const { action, fields } = formIn(page);
  return follow(at, await at.submit(action, { ...fields, ...more }));
}

/** What a browser shows in the end: it follows the redirects of a reply. */
async function follow(at: Browser, reply: Reply): Promise<Reply> {
  let shown = reply;
  for (let steps = 0; shown.status === 303 && steps < 5; steps += 1)
    shown = await at.get(String(shown.headers['location']), asPage);
  return shown;
}

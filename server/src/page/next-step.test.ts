// Tests that pages lead on: a person who cannot do what a page asks for, or has done it already, finds the next step.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { message } from '../kit/language.ts';
import { Browser } from '../../test/support/browser.ts';
import { addApp } from '../../test/support/factor.ts';
import { without } from '../../test/support/feature.ts';
import { unescapeMarkup } from '../../test/support/markup.ts';
import { asPage } from '../../test/support/page-form.ts';
import { PublicService } from '../../test/support/public-service.ts';

const inEnglish = (key: string): string => message('en', key, {});

/** The links of a page: their address by their text. */
function linksIn(text: string): Map<string, string> {
  const links = text.matchAll(/<a (?:class="[^"]*" )?href="([^"]*)"\s*>([^<]*)</g);
  return new Map([...links].map(([, href = '', label = '']) => [label.trim(), unescapeMarkup(href)]));
}

describe('a page that asks for proof', { skip: without('totp', 'email-change') }, () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite');
  });
  after(() => service.close());

  /** Opens every page without parameters, and that for step-up as applications demand it. */
  async function* pagesOf(at: Browser): AsyncGenerator<{ readonly path: string; readonly text: string }> {
    const since = service.service.clock.now() + 1;
    for (const { url, method, isPage } of service.service.routes) {
      if (!isPage || method !== 'GET' || /[:*]/.test(url)) continue;
      const path = url === '/step-up' ? `${url}?since=${since}` : url;
      const { status, text } = await at.get(path, asPage);
      if (status === 200) yield { path: url, text };
    }
  }

  async function browsers(): Promise<readonly { readonly at: Browser; readonly email: string }[]> {
    const open = await service.member();
    const { email, password } = await service.member();
    const inside = new Browser(service);
    const at = new Browser(service);
    const halfway = new Browser(service);
    await inside.post('/sessions', { email: open.email, password: open.password });
    await at.post('/sessions', { email, password });
    await addApp(at, service.service.clock);
    await halfway.submit('/sign-in', { email, password });
    return [
      { at: new Browser(service), email: '' },
      { at: inside, email: open.email },
      { at, email },
      { at: halfway, email },
    ];
  }

  test('offers a reset wherever it asks for the current password', async () => {
    const asking = new Set<string>();
    for (const { at } of await browsers())
      for await (const { path, text } of pagesOf(at)) {
        if (!text.includes('autocomplete="current-password"')) continue;
        asking.add(path);
        const reset = linksIn(text).get(inEnglish('page.sign_in.forgot'));
        assert.match(String(reset), /^\/forgot/, path);
      }
    for (const path of ['/sign-in', '/step-up', '/account/password', '/account/address'])
      assert.ok(asking.has(path), path);
  });

  test('names the account whose factor it asks for, and leads to another account', async () => {
    const asking = new Set<string>();
    for (const { at, email } of await browsers())
      for await (const { path, text } of pagesOf(at)) {
        if (!text.includes('name="proof"')) continue;
        asking.add(path);
        assert.ok(text.includes(`<p class="who">${email}</p>`), path);
        assert.ok(linksIn(text).has(inEnglish('page.factor.other')), path);
      }
    assert.deepEqual([...asking].toSorted(), ['/sign-in/factor', '/step-up']);
  });
});

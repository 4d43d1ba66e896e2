// Every page on the way to an application says to which one the user continues.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { listIf } from '../../../../test/support/feature.ts';
import { unescapeMarkup } from '../../../../test/support/markup.ts';
import { clientDefaults } from '../test/client-defaults.ts';
import { authorizationRequest, ProviderSite, type Person } from '../test/site.ts';
import { oidcPaths } from '../engine/paths.ts';

const name = 'The <wiki>';

describe('on the way to an application', () => {
  let site: ProviderSite;
  let target: string;
  let pages: readonly string[];

  before(async () => {
    site = await ProviderSite.open('sqlite', {
      EMAIL_CONFIRMATION: 'true',
      EMAIL_SIGN_IN: 'true',
      RESET_TOKEN_BY: 'mail',
    });
    const app = await site.application({ ...clientDefaults, name, id: 'wiki' });
    const visitor = await site.person({ isSignedIn: false });
    const { url } = await visitor.visit((await authorizationRequest(app)).url);
    target = new URL(url).searchParams.get('return_to') ?? assert.fail(url);
    pages = site.service.routes.flatMap(({ url: path, method, isPage }) =>
      isPage && method === 'GET' && !/[:*]/.test(path) ? [path] : [],
    );
  });
  after(() => site.close());

  /** Opens every page with the address of the request, and returns the paths of those that lead on to it. */
  async function leadingOn(at: Person): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const path of pages) {
      const { status, text } = await at.send('GET', `${path}?return_to=${encodeURIComponent(target)}`);
      const [own = ''] = text.split('<footer>'); // the choice of the language leads back to the page itself
      if (status !== 200 || !own.includes(oidcPaths.interaction)) continue;
      assert.ok(unescapeMarkup(own).includes(`>To continue to ${name}<`), path);
      assert.ok(!own.includes(name), `${path} escapes it`);
      found.add(path);
    }
    return found;
  }

  test('a visitor sees it on each page', async () => {
    const visitor = await site.person({ isSignedIn: false });
    const { email } = visitor;
    for (const path of ['/forgot', '/sign-in/email', '/confirm/again'])
      await visitor.send('POST', path, { email }, { accept: 'text/html' });
    const found = await leadingOn(visitor);
    for (const path of [
      '/sign-in',
      '/sign-up',
      '/forgot',
      '/confirm/again',
      '/confirm/code',
      '/reset/code',
      ...listIf('email-sign-in', '/sign-in/code'),
    ])
      assert.ok(found.has(path), path);
  });

  test('a page that leads elsewhere names no application', async () => {
    const visitor = await site.person({ isSignedIn: false });
    for (const other of ['/account', `${oidcPaths.interaction}/x`, `${oidcPaths.interaction}/x?to=v1.a.b`]) {
      const { text } = await visitor.send('GET', `/sign-in?return_to=${encodeURIComponent(other)}`);
      assert.match(text, /name="password"/);
      assert.doesNotMatch(text, /To continue to/, other);
    }
  });
});

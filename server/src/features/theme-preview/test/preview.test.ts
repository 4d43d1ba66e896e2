// The preview of the theme: what it shows, and what its frames may do.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hasFeature } from '../../../../test/support/feature.ts';
import { publicMode } from '../../../../test/support/public-service.ts';
import { send, type Reply } from '../../../../test/support/request.ts';
import { testService, type TestService } from '../../../../test/support/service.ts';
import { allMails } from '../../../app/event-list.ts';
import { framedPage, inScheme } from '../preview.ts';

describe('the theme preview', () => {
  let service: TestService;
  before(async () => {
    service = await testService('sqlite', { PRODUCT_COLOR: '#ffd400' });
  });
  after(() => service.close());
  const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    send(service.app, { method: 'GET', path, headers: { accept: 'text/html', ...headers } });
  const framesIn = (text: string): string[] =>
    [...text.matchAll(/src="(\/dev\/theme\/[^"]+)"/g)].map(([, src = '']) => src.replaceAll('&#61;', '='));

  test('is linked from the start page of local mode, next to the mailbox', async () => {
    const { text } = await get('/');
    assert.match(text, /<a href="\/dev\/theme">Theme preview</);
    if (hasFeature('mailbox')) assert.match(text, /<a href="\/dev\/mailbox">/);
  });

  test('has two frames for each page that a visitor may see and for each email, and each shows one', async () => {
    const { status, text, headers } = await get('/dev/theme');
    assert.equal(status, 200);
    assert.match(String(headers['content-security-policy']), /frame-src 'self'/);
    const frames = framesIn(text);
    for (const path of ['_', 'sign-in', 'sign-up', 'forgot', 'nowhere'])
      for (const scheme of ['light', 'dark'])
        assert.ok(frames.includes(`/dev/theme/${scheme}/page/${path}`), path);
    assert.equal(frames.filter((src) => src.includes('/mail/')).length, 2 * allMails.length);
    assert.equal(frames.filter((src) => /\/page\/account(?:\/password)?$/.test(src)).length, 0);
    for (const src of frames) {
      const frame = await get(src);
      assert.equal(frame.status, 200, src);
      assert.equal(frame.headers['x-frame-options'], 'SAMEORIGIN');
      const policy = String(frame.headers['content-security-policy']);
      assert.match(
        policy,
        /default-src 'none'.*frame-ancestors 'self'.*form-action 'none'; sandbox allow-same-origin$/,
      );
      assert.doesNotMatch(frame.text, /<script|http-equiv|prefers-color-scheme/, src);
      for (const [, sheet = ''] of frame.text.matchAll(/<link rel="stylesheet" href="([^"]+)"/g)) {
        const styles = await get(sheet.replaceAll('&#61;', '='));
        assert.equal(styles.headers['content-type'], 'text/css; charset=utf-8');
        assert.match(styles.text, /--brand: #ffd400/);
        assert.doesNotMatch(styles.text, /prefers-color-scheme|light dark/);
      }
    }
  });

  test('shows the pages of an account to its user', async () => {
    const fields = { email: 'ada@example.org', password: 'seven otters under a green umbrella' };
    await send(service.app, { method: 'POST', path: '/users', fields });
    const login = await send(service.app, { method: 'POST', path: '/sessions', fields });
    const cookie = String(login.headers['set-cookie']).split(';')[0] ?? '';
    const frames = framesIn((await get('/dev/theme', { cookie })).text);
    assert.ok(frames.includes('/dev/theme/dark/page/account'));
    assert.ok(frames.includes('/dev/theme/dark/page/account/password'));
    assert.match((await get('/dev/theme/dark/page/account', { cookie })).text, /ada@example\.org/);
  });

  test('shows nothing else', async () => {
    for (const path of [
      '/dev/theme/light/page/openapi.json',
      '/dev/theme/light/page/dev/theme',
      '/dev/theme/light/page/dev/mailbox',
      '/dev/theme/light/page/style.css',
      '/dev/theme/light/page/account',
      '/dev/theme/light/page//example.org/',
      '/dev/theme/light/page/..%2f..%2fetc%2fpasswd',
      '/dev/theme/light/mail/none',
      '/dev/theme/light/sheet/page.js',
      '/dev/theme/light/sheet/none.css',
    ])
      assert.equal((await get(path)).status, 404, path);
    assert.equal((await get('/dev/theme/blue/page/sign-in')).status, 400);
    // The pages themselves are in no frame.
    const { headers } = await get('/sign-in');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/);
    assert.doesNotMatch(String(headers['content-security-policy']), /frame-src/);
  });

  test('does not exist in public mode', async () => {
    const publicService = await testService('sqlite', publicMode);
    try {
      const { routes } = publicService;
      assert.deepEqual(
        routes.filter(({ url }) => url.startsWith('/dev/theme')),
        [],
      );
    } finally {
      await publicService.close();
    }
  });
});

test('a style sheet in one scheme has only the rules of that scheme', () => {
  const sheet =
    ':root { color-scheme: light dark } @media (prefers-color-scheme:dark) { a } @media ( prefers-color-scheme: light ) { b }';
  assert.equal(
    inScheme(sheet, 'dark'),
    ':root { color-scheme: dark } @media (min-width: 0) { a } @media (max-width: 0) { b }',
  );
});

test('a page in a frame has no links, scripts and redirects', () => {
  const page =
    '<link rel="stylesheet" href="/style.css?v=1"><script type="module" src="/page.js"></script><meta http-equiv="refresh" content="0; url=/x"><a class="button" href="/y" autofocus>z</a>';
  assert.equal(
    framedPage(page, 'light'),
    '<link rel="stylesheet" href="/dev/theme/light/sheet/style.css?v=1"><a class="button" href="#main">z</a>',
  );
});

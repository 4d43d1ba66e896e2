import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import Fastify, { type LightMyRequestResponse } from 'fastify';
import { assetRoutes, PageAssets, type PageAssetsOptions } from './page-assets.ts';

const plain: PageAssetsOptions = { color: '#1a56c4', logo: undefined, theme: undefined };
const logo = { type: 'image/png', content: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0x00]) };
const full: PageAssetsOptions = { color: '#205030', logo, theme: 'main { color: red }' };

/** Requests a path from a server with the assets. */
async function get(assets: PageAssets, path: string): Promise<LightMyRequestResponse> {
  const app = Fastify();
  await app.register(assetRoutes, { assets });
  return app.inject(path);
}
const sheets = ({ links }: PageAssets): string[] =>
  links.map((link) => /href="([^"]+)"/.exec(link)?.[1] ?? '');
const contentOf = (assets: PageAssets, path: string): string =>
  String(assets.files.find((file) => file.path === path)?.content);

describe('page assets', () => {
  test('have a URL that depends on their content', () => {
    const [one, same, other] = [new PageAssets(plain), new PageAssets(plain), new PageAssets(full)];
    assert.deepEqual(sheets(one), sheets(same));
    assert.notEqual(sheets(one)[0], sheets(other)[0], 'the color is in the style sheet');
    assert.notEqual(one.iconPath, other.iconPath);
    assert.equal(one.scriptPath, other.scriptPath);
    const digest = hash('sha256', contentOf(one, '/page.js'), 'base64url').slice(0, 12);
    assert.equal(one.scriptPath, `/page.js?v=${digest}`);
  });

  test('include a theme and a logo only if configured', () => {
    const [none, all] = [new PageAssets(plain), new PageAssets(full)];
    for (const path of ['/style.css', '/page.js', '/icon.svg']) assert.ok(none.has(path) && all.has(path));
    for (const path of ['/theme.css', '/logo'])
      assert.deepEqual([none.has(path), all.has(path)], [false, true]);
    assert.equal(none.logo, '');
    assert.match(all.logo, /^<img src="\/logo\?v&#61;[\w-]{12}" alt="" height="32" \/>$/);
    for (const assets of [none, all])
      for (const { path } of assets.files) assert.ok(assets.has(path), `${path} is served`);
  });

  test('load the theme after the built-in style sheet, which ends with the configured color', () => {
    const assets = new PageAssets(full);
    assert.deepEqual(
      sheets(assets).map((address) => address.split('?')[0]),
      ['/style.css', '/theme.css'],
    );
    assert.match(contentOf(assets, '/style.css'), /:root \{ --brand: #205030; \}\n$/);
  });

  test('are served unchanged and may be cached forever', async () => {
    const assets = new PageAssets(full);
    for (const { path, type, content } of assets.files) {
      const reply = await get(assets, `${path}?v=x`);
      assert.equal(reply.statusCode, 200, path);
      assert.equal(reply.headers['content-type'], type);
      assert.equal(reply.headers['cache-control'], 'public, max-age=31536000, immutable');
      assert.deepEqual(reply.rawPayload, Buffer.from(content));
    }
    for (const path of ['/theme.css', '/logo'])
      assert.equal((await get(new PageAssets(plain), path)).statusCode, 404, path);
  });

  test('are small: the script has less than 10 kB, the style sheet less than 6 kB, compressed', () => {
    const assets = new PageAssets(plain);
    assert.ok(gzipSync(contentOf(assets, '/page.js')).length < 10_000);
    assert.ok(gzipSync(contentOf(assets, '/style.css')).length < 6_000);
  });

  test('load nothing from other sites and store nothing in the browser', () => {
    const assets = new PageAssets(plain);
    assert.doesNotMatch(contentOf(assets, '/style.css'), /url\(|@import/);
    assert.doesNotMatch(
      contentOf(assets, '/page.js'),
      /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|localStorage|sessionStorage|indexedDB|https?:/,
    );
  });
});

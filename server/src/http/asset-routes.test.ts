import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import Fastify, { type LightMyRequestResponse } from 'fastify';
import { PageAssets, type PageAssetsOptions } from '../brand/page-assets.ts';
import { assetRoutes } from './asset-routes.ts';

const plain: PageAssetsOptions = { productColor: '#1a56c4' };
const svgText = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const drawn = { type: 'image/svg+xml', content: Buffer.from(svgText) };
const logo = { type: 'image/png', content: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0x00]) };
const full: PageAssetsOptions = {
  productColor: '#205030',
  productLogo: logo,
  productLogoDark: drawn,
  themeCss: 'main { color: red }',
  themeDir: {
    path: '/theme',
    files: [
      { name: 'theme.css', type: 'text/css; charset=utf-8', content: Buffer.from('h1 { color: blue }') },
      { name: 'more.css', type: 'text/css; charset=utf-8', content: Buffer.from('h2 { color: blue }') },
      { name: 'font/a.woff2', type: 'font/woff2', content: Buffer.from('wOF2') },
    ],
  },
};
const always = ['/style.css', '/page.js', '/icon.svg', '/icon.png'];
const configured = ['/theme.css', '/logo', '/logo/dark', '/theme/theme.css', '/theme/font/a.woff2'];

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
    assert.notEqual(one.icons, other.icons);
    assert.equal(one.scriptPath, other.scriptPath);
    const digest = hash('sha256', contentOf(one, '/page.js'), 'base64url').slice(0, 12);
    assert.equal(one.scriptPath, `/page.js?v=${digest}`);
  });

  test('include a theme and a logo only if configured', () => {
    const [none, all] = [new PageAssets(plain), new PageAssets(full)];
    assert.deepEqual([...none.paths].toSorted(), [...always].toSorted());
    assert.deepEqual([...all.paths].toSorted(), [...always, ...configured, '/theme/more.css'].toSorted());
    for (const assets of [
      none,
      all,
      new PageAssets({ ...full, productIcon: drawn }),
      new PageAssets({ ...full, productIcon: logo }),
    ])
      assert.deepEqual(assets.files.map(({ path }) => path).toSorted(), [...assets.paths].toSorted());
  });

  test('show the name, the logo with the name, or the logo alone, each with its dark variant', () => {
    const header = (options: PageAssetsOptions): string => new PageAssets(options).header('Tarte & Co');
    assert.equal(header(plain), 'Tarte &#38; Co');
    assert.match(
      header({ ...plain, productLogo: logo }),
      /^<img\s+src="\/logo\?v&#61;[\w-]{12}"\s+alt=""\s+height="32"\s+\/>Tarte &#38; Co$/,
    );
    const alone = header({ ...full, productLogoAlone: true });
    assert.match(alone, /^<picture/);
    assert.match(
      alone,
      /<source srcset="\/logo\/dark\?v&#61;[\w-]{12}" media="\(prefers-color-scheme: dark\)" \/>/,
    );
    assert.match(alone, /alt="Tarte &#38; Co"/);
    assert.match(alone, /<\/picture\s*>$/, 'no name next to it');
  });

  test('have an icon for tabs and one for home screens, and a color for each scheme', () => {
    const icons = (options: PageAssetsOptions): string[] =>
      [...new PageAssets(options).icons.matchAll(/rel="([\w-]+)"[^>]*href="([^?]+)/g)].map(
        ([, rel = '', path = '']) => `${rel} ${path}`,
      );
    assert.deepEqual(icons(plain), ['icon /icon.png', 'icon /icon.svg', 'apple-touch-icon /icon.png']);
    assert.deepEqual(icons({ ...plain, productIcon: drawn }), ['icon /icon.svg']);
    assert.deepEqual(icons({ ...plain, productIcon: logo }), [
      'icon /icon.png',
      'apple-touch-icon /icon.png',
    ]);
    assert.match(
      new PageAssets(plain).icons,
      /theme-color"\s+media="\(prefers-color-scheme: dark\)"\s+content="#141413"/,
    );
  });

  test('load the theme after the built-in style sheet, which ends with the configured color', () => {
    const assets = new PageAssets(full);
    assert.deepEqual(
      sheets(assets).map((address) => address.split('?')[0]),
      ['/style.css', '/theme/theme.css', '/theme.css'],
    );
    const end = contentOf(assets, '/style.css').slice(-400);
    assert.match(end, /:root \{ --brand: #205030; --act: #205030; .*--on-act: #ffffff;/);
    assert.match(end, /@media \(prefers-color-scheme: dark\) \{ :root \{ --act: #\w{6}; .* \} \}\n$/);
  });

  test('are served unchanged and may be cached forever', async () => {
    const assets = new PageAssets(full);
    for (const { path, address, type, content } of assets.files) {
      const reply = await get(assets, address);
      assert.equal(reply.statusCode, 200, path);
      assert.equal(reply.headers['content-type'], type);
      assert.equal(reply.headers['cache-control'], 'public, max-age=31536000, immutable');
      assert.deepEqual(reply.rawPayload, Buffer.from(content));
    }
    for (const path of configured)
      assert.equal((await get(new PageAssets(plain), path)).statusCode, 404, path);
    const named = await get(assets, '/theme/font/a.woff2');
    assert.equal(named.headers['cache-control'], 'public, max-age=300', 'a name without the digest');
  });

  test('cannot run a script if they are opened as pages', async () => {
    const assets = new PageAssets({ ...full, productIcon: drawn });
    for (const { path, type } of assets.files.filter((file) => /^(?:image|font)\//.test(file.type))) {
      const policy = (await get(assets, path)).headers['content-security-policy'];
      assert.match(String(policy), /default-src 'none'.*; sandbox$/, `${path} ${type}`);
      assert.doesNotMatch(String(policy), /script-src|allow-scripts/);
    }
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

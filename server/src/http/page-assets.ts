// Serves the files that pages load: the style sheet with the color of the operator, the theme of the operator, the
// script, the icon and the logo. The URL of a file changes with its content, so that browsers may cache it forever.
import { html } from 'ghtml';
import { readFileSync } from 'node:fs';
import { hash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** A file that pages load. */
interface Asset {
  readonly path: string;
  /** Path with a digest of the content. */
  readonly address: string;
  readonly type: string;
  readonly content: string | Buffer;
}

export interface PageAssetsOptions {
  /** `#rrggbb` */
  readonly color: string;
  readonly logo: { readonly type: string; readonly content: Buffer } | undefined;
  /** Style sheet of the operator. */
  readonly theme: string | undefined;
}

const folder = new URL('../../assets/', import.meta.url);
const immutable = 'public, max-age=31536000, immutable';
const css = 'text/css; charset=utf-8';

/** Length of the digest in a URL. It distinguishes versions and has no security purpose. */
const digestCharacters = 12;

export class PageAssets {
  readonly #options: PageAssetsOptions;
  #files: readonly Asset[] | undefined;

  constructor(options: PageAssetsOptions) {
    this.#options = options;
  }

  /** Attributes of the `link` elements of a page. */
  get links(): readonly string[] {
    return this.files
      .filter(({ type }) => type === css)
      .map(({ address }) => html`rel="stylesheet" href="${address}"`);
  }

  get iconPath(): string {
    return this.#addressOf('/icon.svg');
  }

  get scriptPath(): string {
    return this.#addressOf('/page.js');
  }

  /** Markup of the logo, or empty text. The page shows the product name next to it. */
  get logo(): string {
    return this.#options.logo === undefined
      ? ''
      : html`<img src="${this.#addressOf('/logo')}" alt="" height="32" />`;
  }

  /** The files, read with the first page: a service that only serves programs never needs them. */
  get files(): readonly Asset[] {
    const { color, logo, theme } = this.#options;
    this.#files ??= [
      asset('/style.css', css, `${read('style.css')}\n:root { --brand: ${color}; }\n`),
      ...(theme === undefined ? [] : [asset('/theme.css', css, theme)]),
      asset('/page.js', 'text/javascript; charset=utf-8', read('page.js')),
      asset('/icon.svg', 'image/svg+xml', icon(color)),
      ...(logo === undefined ? [] : [asset('/logo', logo.type, logo.content)]),
    ];
    return this.#files;
  }

  /** Returns whether there is a file with this path. */
  has(path: string): boolean {
    if (path === '/theme.css') return this.#options.theme !== undefined;
    return path !== '/logo' || this.#options.logo !== undefined;
  }

  #addressOf(path: string): string {
    return this.files.find((one) => one.path === path)?.address ?? path;
  }
}

/** Adds the routes that serve the files. */
export async function assetRoutes(scope: FastifyInstance, { assets }: { assets: PageAssets }): Promise<void> {
  const paths = ['/style.css', '/theme.css', '/page.js', '/icon.svg', '/logo'];
  for (const path of paths) {
    if (!assets.has(path)) continue;
    scope.get(path, { schema: { summary: 'File that pages load' } }, async (_request, reply) => {
      const file = assets.files.find((one) => one.path === path);
      return reply
        .header('cache-control', immutable)
        .type(file?.type ?? 'text/plain')
        .send(Buffer.from(file?.content ?? ''));
    });
  }
}

/** Returns the icon of the browser tab: a dot in the color of the operator. */
function icon(color: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${color}"/></svg>`;
}

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

/** Creates a file with its digest, which is computed once and not for every page. */
function asset(path: string, type: string, content: string | Buffer): Asset {
  const version = hash('sha256', content, 'base64url').slice(0, digestCharacters);
  return { path, address: `${path}?v=${version}`, type, content };
}

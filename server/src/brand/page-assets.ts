// Composes the files that pages load: the style sheet with the colors of the operator, the theme of the operator, the
// script, the icons and the logos. The URL of a file changes with its content, so that browsers may cache it forever.
import { html } from 'ghtml';
import { readFileSync } from 'node:fs';
import { brandColors, pageGrounds } from './color.ts';
import { encodeDot } from './png.ts';
import { digestOf, type ThemeFolder } from './theme.ts';

/** A file that pages load. */
interface Asset {
  readonly path: string;
  /** Path with a digest of the content. */
  readonly address: string;
  readonly type: string;
  readonly content: Buffer;
}

/** A picture of the operator. */
interface AssetPicture {
  readonly type: string;
  readonly content: Buffer;
}

/** The look of the pages: options of the service. */
export interface PageAssetsOptions {
  /** `#rrggbb` */
  readonly productColor: string;
  readonly productLogo?: AssetPicture | undefined;
  /** The logo on dark pages. */
  readonly productLogoDark?: AssetPicture | undefined;
  /** The logo contains the name of the product. */
  readonly productLogoAlone?: boolean;
  /** The icon of the tab; a PNG is also that of the home screen. */
  readonly productIcon?: AssetPicture | undefined;
  /** Style sheet of the operator. */
  readonly themeCss?: string | undefined;
  /** Style sheet, fonts and pictures of the operator. */
  readonly themeDir?: ThemeFolder | undefined;
}

const folder = new URL('../../assets/', import.meta.url);
const css = 'text/css; charset=utf-8';
const png = 'image/png';
const svg = 'image/svg+xml';

export class PageAssets {
  readonly #options: PageAssetsOptions;
  #files: readonly Asset[] | undefined;

  constructor(options: PageAssetsOptions) {
    this.#options = options;
  }

  /** Attributes of the `link` elements of the style sheets. */
  get links(): readonly string[] {
    return this.files
      .filter(
        ({ path, type }) => type === css && (!path.startsWith('/theme/') || path === '/theme/theme.css'),
      )
      .map(({ address }) => html`rel="stylesheet" href="${address}"`);
  }

  /** Markup of the icons, and of the color around the page. */
  get icons(): string {
    const colors = (['light', 'dark'] as const).map(
      (scheme) =>
        html`<meta
          name="theme-color"
          media="(prefers-color-scheme: ${scheme})"
          content="${pageGrounds[scheme].buttons[1]}"
        />`,
    );
    const vector = this.#find('/icon.svg');
    const raster = this.#find('/icon.png');
    return [
      ...colors,
      ...(raster === undefined
        ? []
        : [html`<link rel="icon" type="${png}" sizes="180x180" href="${raster.address}" />`]),
      ...(vector === undefined
        ? []
        : [html`<link rel="icon" type="${svg}" sizes="any" href="${vector.address}" />`]),
      ...(raster === undefined ? [] : [html`<link rel="apple-touch-icon" href="${raster.address}" />`]),
    ].join('');
  }

  get scriptPath(): string {
    return this.#find('/page.js')?.address ?? '/page.js';
  }

  /** Where fonts come from: the Content-Security-Policy needs no source without a theme. */
  get hasFonts(): boolean {
    return this.#options.themeDir !== undefined;
  }

  /** Markup at the top of each page: the logo, and the name of the product unless the logo contains it. */
  header(productName: string): string {
    const { productLogo: logo, productLogoAlone: isLogoAlone = false } = this.#options;
    if (logo === undefined) return html`${productName}`;
    const [light, dark] = [this.#find('/logo'), this.#find('/logo/dark')];
    const alt = isLogoAlone ? productName : '';
    const picture = html`<img
      src="${light?.address ?? ''}"
      alt="${alt}"
      height="32"
      !${isLogoAlone ? 'class="alone"' : ''}
    />`;
    const both =
      dark === undefined
        ? picture
        : html`<picture
            ><source srcset="${dark.address}" media="(prefers-color-scheme: dark)" />
            !${picture}</picture
          >`;
    return isLogoAlone ? both : html`!${both}${productName}`;
  }

  /** The files, read with the first page: a service that only serves programs never needs them. */
  get files(): readonly Asset[] {
    const { color, logo, logoDark, icon, theme, themeFiles } = this.#look;
    this.#files ??= [
      asset('/style.css', css, `${read('style.css')}\n${colorSheet(color)}\n`),
      ...themeFiles.map(({ name, type, content }) => asset(`/theme/${name}`, type, content)),
      ...(theme === undefined ? [] : [asset('/theme.css', css, theme)]),
      asset('/page.js', 'text/javascript; charset=utf-8', read('page.js')),
      ...(icon === undefined || icon.type === svg
        ? [asset('/icon.svg', svg, icon?.content ?? dot(color))]
        : []),
      ...(icon === undefined ? [asset('/icon.png', png, dotPng(color))] : []),
      ...(icon?.type === png ? [asset('/icon.png', png, icon.content)] : []),
      ...(logo === undefined ? [] : [asset('/logo', logo.type, logo.content)]),
      ...(logoDark === undefined ? [] : [asset('/logo/dark', logoDark.type, logoDark.content)]),
    ];
    return this.#files;
  }

  /** Paths of the files. */
  get paths(): readonly string[] {
    const { logo, logoDark, icon, theme, themeFiles } = this.#look;
    return [
      '/style.css',
      '/page.js',
      ...(theme === undefined ? [] : ['/theme.css']),
      ...themeFiles.map(({ name }) => `/theme/${name}`),
      ...(icon === undefined || icon.type === svg ? ['/icon.svg'] : []),
      ...(icon === undefined || icon.type === png ? ['/icon.png'] : []),
      ...(logo === undefined ? [] : ['/logo']),
      ...(logoDark === undefined ? [] : ['/logo/dark']),
    ];
  }

  get #look() {
    const {
      productColor: color,
      productLogo: logo,
      productLogoDark: logoDark,
      productIcon: icon,
    } = this.#options;
    const { themeCss: theme, themeDir } = this.#options;
    return { color, logo, logoDark, icon, theme, themeFiles: themeDir?.files ?? [] };
  }

  #find(path: string): Asset | undefined {
    return this.files.find((one) => one.path === path);
  }
}

/** Returns the part of the style sheet with the colors of the operator. */
function colorSheet(color: string): string {
  const rule = (scheme: keyof typeof pageGrounds, first = ''): string => {
    const { act, actHover, onAct, actEdge, link } = brandColors(color, pageGrounds[scheme]);
    return `:root { ${first}--act: ${act}; --act-hover: ${actHover}; --on-act: ${onAct}; --act-edge: ${actEdge}; --link: ${link}; }`;
  };
  return `${rule('light', `--brand: ${color}; `)}\n@media (prefers-color-scheme: dark) { ${rule('dark')} }`;
}

/** Returns the icon of the browser tab: a dot in the color of the operator, which tabs of both schemes show. */
function dot(color: string): string {
  const [light, dark] = [pageGrounds.light, pageGrounds.dark].map(
    (grounds) => brandColors(color, grounds).actEdge,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><style>circle{fill:${light}}@media(prefers-color-scheme:dark){circle{fill:${dark}}}</style><circle cx="8" cy="8" r="7"/></svg>`;
}

/** Returns the icon of the home screen, which must not be transparent: the dot on the light sheet. */
function dotPng(color: string): Buffer {
  return encodeDot({
    size: 180,
    radius: 62,
    color: brandColors(color, pageGrounds.light).actEdge,
    ground: '#ffffff',
  });
}

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

/** Creates a file with its digest, which is computed once and not for every page. */
function asset(path: string, type: string, content: string | Buffer): Asset {
  const bytes = Buffer.from(content);
  return { path, address: `${path}?v=${digestOf(bytes)}`, type, content: bytes };
}

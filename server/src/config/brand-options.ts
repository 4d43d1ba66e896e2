// Options of the look and the words of pages and mails.
import { catalogFaults } from '../brand/catalog.ts';
import type { ThemeFolder } from '../brand/theme.ts';
import { readLanguages, type LanguageFolder } from './language-folder.ts';
import { option, type OptionCheck, type OptionValues } from './option.ts';
import { color, flag, productName, webUrl } from './parse.ts';
import { iconPicture, picture, styleSheet, type Picture } from './picture.ts';
import { readTheme } from './theme-folder.ts';

export const brandOptions = {
  productName: option({
    env: 'PRODUCT_NAME',
    parse: productName,
    says: 'Name of the service in pages and emails.',
    default: () => 'Bienvenue',
  }),
  productColor: option({
    env: 'PRODUCT_COLOR',
    parse: color,
    says: 'Color of links and buttons, as #rrggbb. Its lightness is adapted where it would be hard to read; `bienvenue doctor` reports it.',
    default: () => '#1a56c4',
  }),
  productLogo: option<Picture | undefined>({
    env: 'PRODUCT_LOGO',
    parse: picture,
    says: 'Path of a PNG, JPEG or SVG file of at most 64 KB, shown at the top of each page and HTML email. Emails embed it, unless it is an SVG file, which mail programs do not display. Read at startup.',
    default: () => undefined,
    defaultSays: 'none: only the name',
  }),
  productLogoDark: option<Picture | undefined>({
    env: 'PRODUCT_LOGO_DARK',
    parse: picture,
    says: 'Path of the logo for dark pages, a PNG, JPEG or SVG file of at most 64 KB. Read at startup.',
    default: () => undefined,
    defaultSays: 'none: `PRODUCT_LOGO`',
  }),
  productLogoAlone: option({
    env: 'PRODUCT_LOGO_ALONE',
    parse: flag,
    says: 'Pages show the logo without the name next to it, because it contains the name. Screen readers read `PRODUCT_NAME`.',
    default: () => false,
  }),
  productIcon: option<Picture | undefined>({
    env: 'PRODUCT_ICON',
    parse: iconPicture,
    says: 'Path of a square PNG or SVG file of at most 64 KB, the icon of the browser tab. A PNG file, best with 180 by 180 pixels, is also the icon on the home screen of a phone. Read at startup.',
    default: () => undefined,
    defaultSays: 'a dot in `PRODUCT_COLOR`',
  }),
  termsUrl: option<URL | undefined>({
    env: 'TERMS_URL',
    parse: webUrl,
    says: 'URL of your terms of use, linked at the bottom of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  privacyUrl: option<URL | undefined>({
    env: 'PRIVACY_URL',
    parse: webUrl,
    says: 'URL of your privacy notice, linked at the bottom of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  supportUrl: option<URL | undefined>({
    env: 'SUPPORT_URL',
    parse: webUrl,
    says: 'URL of your help page, or a mailto: URL, linked at the bottom of each page.',
    default: () => undefined,
    defaultSays: 'none: no link',
  }),
  themeCss: option<string | undefined>({
    env: 'THEME_CSS',
    parse: styleSheet,
    says: 'Path of a style sheet of at most 64 KB, which pages load after the built-in one. It cannot load anything from other sites. Read at startup.',
    default: () => undefined,
    defaultSays: 'none',
  }),
  themeDir: option<ThemeFolder | undefined>({
    env: 'THEME_DIR',
    parse: readTheme,
    says: 'Path of a folder with `theme.css`, fonts and pictures, which the service serves below `/theme/`. At most 100 files, 1 MB each. Read at startup.',
    default: () => undefined,
    defaultSays: 'none',
  }),
  languagesDir: option<LanguageFolder | undefined>({
    env: 'LANGUAGES_DIR',
    parse: readLanguages,
    says: 'Path of a folder with JSON files such as `en.json`, which replace texts of pages and emails or add a language. Read at startup.',
    default: () => undefined,
    defaultSays: 'none',
  }),
} as const;

/** Combinations of these options that do not work, and texts that cannot be shown. */
export const checkBrandOptions: OptionCheck<OptionValues<typeof brandOptions>> = (values, { faulty }) => {
  const faults: string[] = [];
  if (values.productLogo === undefined && !faulty.has('productLogo')) {
    if (values.productLogoDark !== undefined)
      faults.push('PRODUCT_LOGO_DARK is the dark variant of PRODUCT_LOGO, which must be set too');
    if (values.productLogoAlone) faults.push('PRODUCT_LOGO_ALONE=true needs a logo; set PRODUCT_LOGO');
  }
  if (values.languagesDir !== undefined)
    faults.push(...catalogFaults(values.languagesDir.catalogs).map((fault) => `LANGUAGES_DIR: ${fault}`));
  return faults;
};

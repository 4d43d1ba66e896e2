// Changes the markup of a page or mail so that a frame can show it in one color scheme, whatever the browser prefers.

export type Scheme = 'light' | 'dark';
export const schemes: readonly Scheme[] = ['light', 'dark'];

/** Where the preview and its parts are. */
export const previewPath = '/dev/theme';

/** Stands for the path `/` in an address: a route does not match an empty name. */
const startName = '_';

/** Returns the path of a page or style sheet that an address names. */
export function pathOfPart(name: string): string {
  return name === startName ? '/' : `/${name}`;
}

/** Returns the address of a page, mail or style sheet in one color scheme. */
export function partPath(scheme: Scheme, kind: 'page' | 'mail' | 'sheet', name: string): string {
  return `${previewPath}/${scheme}/${kind}/${name === '/' ? startName : name.replace(/^\//, '')}`;
}

/** Returns a style sheet or markup whose media queries apply in one scheme only. */
export function inScheme(text: string, scheme: Scheme): string {
  return text
    .replaceAll(/\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)/g, (_whole, asked: string) =>
      asked === scheme ? '(min-width: 0)' : '(max-width: 0)',
    )
    .replaceAll(/(color-scheme:\s*)light dark/g, `$1${scheme}`)
    .replaceAll(/(name="color-scheme" content=")light dark/g, `$1${scheme}`);
}

/** Returns the markup of a page for a frame: without scripts and redirects, with style sheets in one scheme. */
export function framedPage(markup: string, scheme: Scheme): string {
  return inScheme(markup, scheme)
    .replaceAll(/<script\b[^>]*><\/script>|<meta http-equiv="refresh"[^>]*>/g, '')
    .replaceAll(/(<[^>]*)\sautofocus\b/g, '$1')
    .replaceAll(/(<link rel="stylesheet" href=")(\/[^"]*)/g, (_whole, begin: string, address: string) => {
      return `${begin}${partPath(scheme, 'sheet', address)}`;
    })
    .replaceAll(/(<a\b[^>]*?\bhref=")[^"]*/g, '$1#main');
}

/** Returns the markup of a mail for a frame. The logo is that of the pages. */
export function framedMail(markup: string, scheme: Scheme, logoSource: string): string {
  return inScheme(markup, scheme)
    .replace(logoSource, 'src="/logo"')
    .replaceAll(/(<a\b[^>]*?\bhref=")[^"]*/g, '$1#');
}

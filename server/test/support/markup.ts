/** The text of markup whose characters are escaped by their numbers. */
export function unescapeMarkup(markup: string): string {
  return markup.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

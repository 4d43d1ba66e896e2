/** The text of markup whose characters are escaped by their numbers. */
export function unescapeMarkup(markup: string): string {
  return markup.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

/** The text that a reader sees of markup, with single spaces. */
export function textOf(markup: string): string {
  return unescapeMarkup(markup.replaceAll(/<[^>]*>/g, ' '))
    .replaceAll(/\s+/g, ' ')
    .trim();
}

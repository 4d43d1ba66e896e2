// Splits the Cookie header of a request, once for all cookies that are read from it.

/** Name and value of a cookie, as they are in the header. */
export type CookiePair = readonly [name: string, value: string];

/** The last header and its pairs, cached because a request reads several cookies from the same header. */
let last: { readonly header: string; readonly pairs: readonly CookiePair[] } = { header: '', pairs: [] };

/** Returns the cookies of a Cookie header in their order; a part without `=` is ignored (RFC 6265 §4.2.1). */
export function splitCookies(header: string | undefined): readonly CookiePair[] {
  if (header === undefined) return [];
  if (header === last.header) return last.pairs;
  const pairs: CookiePair[] = [];
  for (const part of header.split(';')) {
    const trimmed = part.trim();
    const equals = trimmed.indexOf('=');
    if (equals > 0) pairs.push([trimmed.slice(0, equals), trimmed.slice(equals + 1)]);
  }
  last = { header, pairs };
  return pairs;
}

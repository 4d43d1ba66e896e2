/**
 * Normalizes a code as people type and paste it: full-width characters and digits of other scripts, spaces, dashes and
 * invisible characters that were copied along. Call it before the code is judged or counted.
 */
export function normalizeCode(typed: string): string {
  return typed
    .normalize('NFKC')
    .replaceAll(/[\s\p{Cf}\p{Pd}]/gu, '')
    .replaceAll(/\p{Nd}/gu, toAsciiDigit);
}

/** Decimal digits of each script are ten consecutive characters (Unicode standard §4.6). */
function toAsciiDigit(digit: string): string {
  let start = digit.codePointAt(0) ?? 0;
  const first = start;
  while (/\p{Nd}/u.test(String.fromCodePoint(start - 1)) && first - start < 9) start -= 1;
  return String((first - start) % 10);
}

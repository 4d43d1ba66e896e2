/** A string with the colon that follows it if it is the name of a member, or the start or the end of an object. */
const token = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g;

/**
 * Returns the first name that an object of a JSON text has twice, at any depth and in any spelling (`"\u0061"` is `"a"`);
 * `undefined` without one. `JSON.parse` takes the last of them without an error, other parsers the first (RFC 8259
 * §4). The text must be valid JSON: call `JSON.parse` before.
 */
export function findRepeatedMember(text: string): string | undefined {
  /** For each open object, its names so far. */
  const open: Set<string>[] = [];
  for (const [part, colon] of text.matchAll(token)) {
    if (part === '{') open.push(new Set());
    else if (part === '}') open.pop();
    else if (colon !== undefined) {
      const name = nameOf(part.slice(0, part.length - colon.length));
      const names = open.at(-1);
      if (names?.has(name) === true) return name;
      names?.add(name);
    }
  }
  return undefined;
}

/** Returns the text of a JSON string. */
function nameOf(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1); // a string in quotes
}

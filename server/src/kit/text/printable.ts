// Text of strangers for a terminal, which takes control characters as commands: a mail server could change what the
// operator sees, or the title of the window (CWE-150).

/** Control characters but the line break, and those that change the direction of text (Unicode, UAX #9 §2). */
const unprintable = /[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/**
 * Returns the text with each control character as `\u001b`, which is also its form in JSON. Line breaks stay, or the
 * characters in `kept`.
 */
export function printable(text: string, kept = '\n'): string {
  return text.replaceAll(unprintable, (character) =>
    kept.includes(character) ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** As `printable`, with white space and line breaks as single spaces. */
export function printableLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ').trim());
}

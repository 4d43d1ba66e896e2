// Reads the files with which an operator brands pages and mails: a picture and a style sheet.
import { readFileSync, statSync } from 'node:fs';
import { OptionFault } from './parse.ts';

/** A small picture, read from a file. */
export interface Picture {
  readonly path: string;
  readonly type: 'image/png' | 'image/jpeg';
  readonly content: Buffer;
}

/** Maximum size of a file in kilobytes: every mail embeds the picture, and mail clients truncate large mails. */
const maxKilobytes = 64;

/** First bytes of the formats that every mail client displays (PNG third edition §5.2; JPEG, ITU-T T.81 §B.1.1.3). */
const formats = [
  { type: 'image/png', magic: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) },
  { type: 'image/jpeg', magic: Buffer.from([0xff, 0xd8, 0xff]) },
] as const;

/**
 * Reads a picture. Its first bytes decide the format, never its name.
 * @throws {OptionFault} if the file cannot be read, is too large, or has another format.
 */
export function picture(path: string): Picture {
  const content = readSmallFile(path, 'a PNG or JPEG file');
  const format = formats.find(({ magic }) => magic.every((byte, i) => content[i] === byte));
  if (format === undefined)
    throw new OptionFault(`must name a PNG or JPEG file; ${path} is in another format`);
  return { path, type: format.type, content };
}

/**
 * Reads a style sheet.
 * @throws {OptionFault} if the file cannot be read or is too large.
 */
export function styleSheet(path: string): string {
  return readSmallFile(path, 'a style sheet').toString();
}

function readSmallFile(path: string, what: string): Buffer {
  let size: number;
  try {
    const found = statSync(path);
    // Reading a pipe or a device could block forever.
    if (!found.isFile()) throw new Error('It is not a regular file');
    size = found.size;
    if (size <= maxKilobytes * 1024) return readFileSync(path);
  } catch {
    throw new OptionFault(`must name ${what}; ${path} cannot be read`);
  }
  throw new OptionFault(
    `must name ${what} of at most ${maxKilobytes} KB; ${path} has ${Math.ceil(size / 1024)} KB`,
  );
}

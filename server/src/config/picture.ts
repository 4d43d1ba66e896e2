// Reads the files with which an operator brands pages and mails: pictures and a style sheet.
import { readFileSync, statSync } from 'node:fs';
import { unreadable } from '../kit/file.ts';
import { OptionFault } from './parse.ts';

/** A small picture, read from a file. */
export interface Picture {
  readonly path: string;
  readonly type: 'image/png' | 'image/jpeg' | 'image/svg+xml';
  readonly content: Buffer;
}

/** A picture that mail clients display. */
export type Raster = Picture & { readonly type: 'image/png' | 'image/jpeg' };

/** Maximum size of a file in kilobytes: every mail embeds the picture, and mail clients truncate large mails. */
const maxKilobytes = 64;

/** First bytes of the formats that every mail client displays (PNG third edition §5.2; JPEG, ITU-T T.81 §B.1.1.3). */
const formats = [
  { type: 'image/png', magic: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) },
  { type: 'image/jpeg', magic: Buffer.from([0xff, 0xd8, 0xff]) },
] as const;

/** The root element of an SVG file, after the declaration, comments and the document type of XML. */
const svgBeginning = /^\uFEFF?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE[^>[]*>\s*)*<svg[\s>]/s;

/**
 * Returns the format of a picture. Its first bytes decide, never its name; `undefined` for any other format.
 */
function formatOf(content: Buffer): Picture['type'] | undefined {
  const raster = formats.find(({ magic }) => magic.every((byte, i) => content[i] === byte));
  return raster?.type ?? (svgBeginning.test(content.toString()) ? 'image/svg+xml' : undefined);
}

/**
 * Reads a logo.
 * @throws {OptionFault} if the file cannot be read, is too large, or has another format.
 */
export function picture(path: string): Picture {
  return readPicture(path, 'a PNG, JPEG or SVG file', ['image/png', 'image/jpeg', 'image/svg+xml']);
}

/**
 * Reads an icon.
 * @throws {OptionFault} as `picture()` does.
 */
export function iconPicture(path: string): Picture {
  return readPicture(path, 'a PNG or SVG file', ['image/png', 'image/svg+xml']);
}

/** Returns a logo for mails: mail clients do not display SVG. */
export function rasterOf(logo: Picture | undefined): Raster | undefined {
  return logo === undefined || logo.type === 'image/svg+xml' ? undefined : { ...logo, type: logo.type };
}

function readPicture(path: string, what: string, types: readonly Picture['type'][]): Picture {
  const content = readSmallFile(path, what);
  const type = formatOf(content);
  if (type === undefined || !types.includes(type))
    throw new OptionFault(`must name ${what}; ${path} is in another format`);
  return { path, type, content };
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
    if (!found.isFile()) throw new Error('it is not a regular file');
    size = found.size;
    if (size <= maxKilobytes * 1024) return readFileSync(path);
  } catch (error) {
    throw new OptionFault(`must name ${what}; ${unreadable(path, error)}`);
  }
  throw new OptionFault(
    `must name ${what} of at most ${maxKilobytes} KB; ${path} has ${Math.ceil(size / 1024)} KB`,
  );
}

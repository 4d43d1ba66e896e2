import { hash } from 'node:crypto';

/** A file of a theme. */
export interface ThemeFile {
  /** Path in the folder, with `/` between its parts. */
  readonly name: string;
  readonly type: string;
  readonly content: Buffer;
}

export interface ThemeFolder {
  readonly path: string;
  readonly files: readonly ThemeFile[];
}

/** Length of the digest in the address of a file. It distinguishes versions and has no security purpose. */
const digestCharacters = 12;

/** Returns the address of a file, which changes with its content. */
export function themeAddress({ name, content }: ThemeFile): string {
  return `/theme/${name}?v=${digestOf(content)}`;
}

/** Returns the version in the address of a file. */
export function digestOf(content: Buffer): string {
  return hash('sha256', content, 'base64url').slice(0, digestCharacters);
}

/**
 * Finds the bundle of the service's own sources, which tools/bundle.mjs makes: a start from it takes four fifths of
 * the time. It is used only if no source has changed since, so that what runs is what is in the folder.
 */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../bundle/program/', import.meta.url);

/**
 * What identifies the contents of a source. Copies of a folder, such as the layers of a container, keep whole seconds.
 *
 * @param {string | URL} file
 */
export function stampOf(file) {
  const { size, mtimeMs } = statSync(file);
  return [size, Math.floor(mtimeMs / 1000)];
}

/** @returns {string | undefined} the path of the program, if its bundle is of the present sources */
export function findProgram() {
  try {
    /** @type {Record<string, [size: number, seconds: number]>} by path from the folder */
    const stamps = JSON.parse(readFileSync(new URL('program.json', folder), 'utf8'));
    const isPresent = Object.entries(stamps).every(([file, [size, seconds]]) => {
      const found = stampOf(new URL(file, folder));
      return found[0] === size && found[1] === seconds;
    });
    return isPresent ? fileURLToPath(new URL('main.mjs', folder)) : undefined;
  } catch {
    return undefined; // no bundle was made, or a source was removed
  }
}

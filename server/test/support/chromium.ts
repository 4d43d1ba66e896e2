// A real browser that runs scripts: the Chromium from npm, or that of the machine.
import npmChromium, { inflate } from '@sparticuz/chromium';
import { chromium, type Browser } from 'playwright-core';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { patienceMs } from './eventually.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome'];
const cache = fileURLToPath(new URL('../../../node_modules/.cache', import.meta.url));
const packageFolder = fileURLToPath(new URL('..', import.meta.resolve('@sparticuz/chromium')));

/**
 * Replaces the package's own configuration, which looks for the fonts where AWS Lambda has them; without fonts it
 * crashes.
 */
const fontsConfiguration = '<fontconfig><dir prefix="relative">fonts</dir></fontconfig>';

interface Program {
  readonly path: string;
  /** Environment that it needs in addition to that of the tests. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Opens the browser that CHROMIUM names, else that from npm, which draws no screen and takes half as long for a page,
 * else that of the machine. Screenshots prefer the machine's: it has more fonts.
 * @param options Options of its command line.
 * @throws if none runs on this machine, with the reason of each.
 */
export async function openBrowser(
  preferred: 'npm' | 'machine' = 'npm',
  options: readonly string[] = [],
): Promise<Browser> {
  const { CHROMIUM: named } = process.env;
  if (named) return launch({ path: named, environment: {} }, options);
  const faults: unknown[] = [];
  for (const source of preferred === 'npm' ? [npmProgram, ownProgram] : [ownProgram, npmProgram]) {
    try {
      return await launch(await source(), options);
    } catch (error) {
      faults.push(error);
    }
  }
  throw new Error(faults.map(String).join('; '), { cause: faults });
}

async function launch({ path, environment }: Program, options: readonly string[]): Promise<Browser> {
  const browser = await chromium.launch({
    timeout: patienceMs,
    executablePath: path,
    env: { ...process.env, ...environment },
    // It opens only our pages. Root has no sandbox, and the shared memory of a container is small.
    args: ['--no-sandbox', '--disable-dev-shm-usage', ...options],
  });
  const newContext = browser.newContext.bind(browser);
  // Also called by `newPage`. The default of 30 s is too short for a busy machine.
  browser.newContext = async (context) => {
    const made = await newContext(context);
    made.setDefaultTimeout(patienceMs);
    return made;
  };
  return browser;
}

function ownProgram(): Program {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
  if (path === undefined) throw new Error(`this machine has none of ${names.join(', ')}`);
  return { path, environment: {} };
}

/** The program from npm with its libraries and fonts, unpacked at its first use: some seconds, 200 MB. */
async function npmProgram(): Promise<Program> {
  const manifest = await readFile(join(packageFolder, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string }; // every package has one
  const folder = join(cache, `chromium-${version}`);
  if (!existsSync(folder)) await unpack(folder);
  return {
    path: join(folder, 'chromium'),
    environment: {
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      FONTCONFIG_PATH: join(folder, 'fonts'),
    },
  };
}

/** Unpacks into another folder and renames it, so that no run uses a half-unpacked program. */
async function unpack(folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const unpacked = await mkdtemp(join(cache, 'chromium-'));
  // The package unpacks into the folder for temporary files, and would run a file that another user has put there under
  // its name.
  const { TMPDIR: before } = process.env;
  process.env['TMPDIR'] = unpacked;
  try {
    npmChromium.setGraphicsMode = false;
    await npmChromium.executablePath();
    await inflate(join(packageFolder, 'bin', 'al2023.tar.br'));
    await writeFile(join(unpacked, 'fonts', 'fonts.conf'), fontsConfiguration);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
  await rename(unpacked, folder).catch(async (error: unknown) => {
    await rm(unpacked, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // another run was first
  });
}

// A program of a few lines in a process of its own, for what one process cannot show: a kill, or another instance that
// works on the same database.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { minuteMs } from '../../src/kit/clock.ts';

export interface Script {
  /** Lines of its output so far. */
  readonly lines: readonly string[];
  /** Resolves when the line has been printed; rejects if the script ends without it. */
  readonly printed: (line: string) => Promise<void>;
  /** Ends it as a power failure would. */
  readonly kill: () => void;
  /** Resolves to the exit code, null after a kill. */
  readonly ended: Promise<number | null>;
}

/** Address of a source file, for the `import` of a script: `source('db/open-database.ts')`. */
export function source(path: string): string {
  return new URL(`../../src/${path}`, import.meta.url).href;
}

/** Milliseconds, far more than any script needs, so that one that hangs fails its test and not the whole run. */
const longestMs = 10 * minuteMs;

/** Runs the text as a module. Its arguments are `process.argv[1]` and following. */
export function startScript(text: string, ...args: readonly string[]): Script {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', text, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: longestMs,
    killSignal: 'SIGKILL',
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = once(child, 'close').then(() => child.exitCode);
  const printed = async (line: string): Promise<void> => {
    while (!lines.includes(line)) {
      const isEnd = await Promise.race([once(reader, 'line').then(() => false), ended.then(() => true)]);
      if (isEnd && !lines.includes(line)) throw new Error(`The script ended and never printed "${line}"`);
    }
  };
  return { lines, printed, ended, kill: () => child.kill('SIGKILL') };
}

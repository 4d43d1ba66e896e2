// Creates the log of the process. Values that may be secret are replaced.
import { pino, type Logger } from 'pino';
import { printable } from '../kit/text/printable.ts';

export interface LogOptions {
  readonly level: string;
  /** Readable lines for a terminal instead of JSON. */
  readonly pretty: boolean;
}

/** Property names that could hold a secret; pino replaces their values wherever they occur. */
const secretNames = [
  'password',
  'new_password',
  'reset_token',
  'token',
  'cookie',
  'authorization',
  'set-cookie',
  'hashed_password',
];

/** Serializes an error with its causes, without its other properties: a database error may quote a row in them. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { type, message, stack } = pino.stdSerializers.err(error);
  const { code } = error as { code?: unknown }; // system errors and problems have a code
  return { type, message, stack, ...(code !== undefined && { code }) };
}

/** Lines that wait while standard output cannot be written, in characters; more are dropped. */
const maxWaiting = 1_000_000;

/**
 * Returns standard output, which may fail without ending the process, for example because the disk of the file is full.
 * The lines wait for the next attempt, which the next line makes.
 */
function standardOutput(): ReturnType<typeof pino.destination> {
  const output = pino.destination({ dest: 1, sync: false, maxLength: maxWaiting });
  let fails = false;
  output.on('error', () => {
    fails = true;
  });
  output.on('write', () => {
    fails = false;
  });
  const flush = output.flushSync.bind(output);
  // At the end of the process it is called, and tries until it succeeds.
  output.flushSync = () => {
    if (!fails) flush();
  };
  return output;
}

/** Creates the log of the service: one JSON object per line, times in ISO 8601, without host name and secrets. */
export async function createLog({ level, pretty }: LogOptions): Promise<Logger> {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: serializeError },
    redact: { paths: secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`]), censor: '[hidden]' },
  };
  const output = standardOutput();
  // The texts of clients and servers in a line must not control the terminal that shows it; its colors do.
  if (!pretty) return pino({ ...options, hooks: { streamWrite: (line) => printable(line) } }, output);
  const write = output.write.bind(output);
  output.write = (line) => write(printable(line, '\n\u001B'));
  const { default: prettyStream } = await import('pino-pretty');
  return pino(options, prettyStream({ colorize: true, translateTime: 'HH:MM:ss', destination: output }));
}

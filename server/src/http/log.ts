import { pino, type Logger, type DestinationStream } from 'pino';

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
  if (!pretty) return pino(options);
  const { default: prettyStream } = await import('pino-pretty');
  const stream: DestinationStream = prettyStream({ colorize: true, translateTime: 'HH:MM:ss', sync: true });
  return pino(options, stream);
}

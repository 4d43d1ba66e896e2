import { pino, type Logger, type DestinationStream } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** Readable lines for a terminal instead of JSON. */
  readonly pretty: boolean;
}

/** Names under which a secret could come along; pino cuts the values out wherever they stand. */
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

/** What is told of an error, and of what caused it. Not its other properties: a database quotes the row in some. */
function tellError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { type, message, stack } = pino.stdSerializers.err(error);
  const { code } = error as { code?: unknown }; // a system error's, or a problem's
  return { type, message, stack, ...(code !== undefined && { code }) };
}

/** The service's log: one JSON object a line, instants in ISO 8601, no host name, no secrets. */
export async function createLog({ level, pretty }: LogOptions): Promise<Logger> {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: tellError },
    redact: { paths: secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`]), censor: '[hidden]' },
  };
  if (!pretty) return pino(options);
  const { default: prettyStream } = await import('pino-pretty');
  const stream: DestinationStream = prettyStream({ colorize: true, translateTime: 'HH:MM:ss', sync: true });
  return pino(options, stream);
}

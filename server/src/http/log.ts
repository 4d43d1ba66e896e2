import { pino, type Logger, type DestinationStream } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** Readable lines for a terminal instead of JSON. */
  readonly pretty: boolean;
}

/** Names under which a secret could come along; pino cuts the values out wherever they stand. */
const secretNames = ['password', 'new_password', 'reset_token', 'token', 'cookie', 'authorization', 'set-cookie', 'hashed_password'];

/** The service's log: one JSON object a line, instants in ISO 8601, no host name, no secrets. */
export async function createLog({ level, pretty }: LogOptions): Promise<Logger> {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`]), censor: '[hidden]' },
  };
  if (!pretty) return pino(options);
  const { default: prettyStream } = await import('pino-pretty');
  const stream: DestinationStream = prettyStream({ colorize: true, translateTime: 'HH:MM:ss', sync: true });
  return pino(options, stream);
}

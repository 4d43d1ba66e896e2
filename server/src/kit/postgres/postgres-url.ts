// Reads the URL of PostgreSQL, which may name several servers as that of libpq does
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING). The driver knows neither a list of hosts
// nor `target_session_attrs`.

/**
 * What is between the service and PostgreSQL: nothing; a pooler that lends a connection of the server for a session, or
 * for a transaction; `auto` finds out at each connection.
 */
export type Pooler = 'auto' | 'none' | 'session' | 'transaction';

/** Connections of a process: ten are enough, because logins wait for the password hash, not for a connection. */
export const defaultConnections = 10;

/** The servers that a URL names. */
export interface PostgresServers {
  /** One URL for each server, in the order in which they are tried. */
  readonly urls: readonly string[];
  /** True if a server whose transactions are read only by default is refused; a standby always is. */
  readonly needsReadWrite: boolean;
}

/** The URL cannot be used; the message completes "DATABASE_URL …". */
export class PostgresUrlFault extends Error {
  override readonly name = 'PostgresUrlFault';
}

const form = /^(postgres(?:ql)?:\/\/)((?:[^/?#]*@)?)([^/?#@]*)([^?#]*)(?:\?([^#]*))?$/;
/** Values of `target_session_attrs` that can name a server for us: the service writes at each login. */
const usableAttrs = ['any', 'read-write', 'primary'];

/**
 * Reads `postgres://user:password@host:port,host:port/database?target_session_attrs=read-write`. The hosts may be in the
 * parameters `host` and `port` instead. Without `target_session_attrs`, several hosts mean `read-write`.
 * @throws {PostgresUrlFault} if it is not such a URL, or asks for a standby.
 */
export function readPostgresUrl(text: string): PostgresServers {
  const [, scheme = '', user = '', hosts = '', path = '', query = ''] = form.exec(text) ?? [];
  if (scheme === '') throw new PostgresUrlFault('must be postgres://user:password@host/database');
  const parameters = new URLSearchParams(query);
  const attrs = parameters.get('target_session_attrs') ?? undefined;
  parameters.delete('target_session_attrs');
  if (attrs !== undefined && !usableAttrs.includes(attrs))
    throw new PostgresUrlFault(
      `must be a URL of a server that accepts changes: target_session_attrs must be one of ${usableAttrs.join(', ')}`,
    );
  const urls = hosts.split(',').flatMap((host) =>
    hostParameters(parameters).map((own) => {
      const rest = own.toString();
      return `${scheme}${user}${host}${path}${rest === '' ? '' : `?${rest}`}`;
    }),
  );
  if (hosts.includes(',') && hosts.split(',').includes(''))
    throw new PostgresUrlFault('must be a URL with a host between the commas');
  if (!urls.every((url) => URL.canParse(url)))
    throw new PostgresUrlFault('must be postgres://user:password@host/database');
  return { urls, needsReadWrite: attrs === undefined ? urls.length > 1 : attrs === 'read-write' };
}

/** Returns the parameters for each host of a list in the parameter `host`. */
function hostParameters(parameters: URLSearchParams): URLSearchParams[] {
  const hosts = parameters.get('host')?.split(',') ?? [];
  if (hosts.length < 2) return [parameters];
  const ports = parameters.get('port')?.split(',') ?? [];
  return hosts.map((host, i) => {
    const own = new URLSearchParams(parameters);
    own.set('host', host);
    const port = ports[i] ?? ports[0]; // libpq: one port is for all hosts
    if (port !== undefined && port !== '') own.set('port', port);
    return own;
  });
}

/** Returns the host and port of a server's URL, for messages: without user and password. */
export function serverName(url: string): string {
  const { host, searchParams } = new URL(url);
  const [name, port] = [searchParams.get('host'), searchParams.get('port')];
  return name === null ? host : `${name}${port === null ? '' : `:${port}`}`;
}

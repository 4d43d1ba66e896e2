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
  const [, scheme = '', user = '', authority = '', path = '', query = ''] = form.exec(text) ?? [];
  if (scheme === '') throw new PostgresUrlFault('must be postgres://user:password@host/database');
  const parameters = new URLSearchParams(query);
  const attrs = parameters.get('target_session_attrs') ?? undefined;
  parameters.delete('target_session_attrs');
  if (attrs !== undefined && !usableAttrs.includes(attrs))
    throw new PostgresUrlFault(
      `must be a URL of a server that accepts changes: target_session_attrs must be one of ${usableAttrs.join(', ')}`,
    );
  const named = parameters.get('host') ?? '';
  const hosts = (named === '' ? authority : named).split(',');
  if (hosts.length > 1 && hosts.includes(''))
    throw new PostgresUrlFault('must be a URL with a host between the commas');
  const ports = readPorts(parameters, hosts.length);
  const urls = hosts.map((host, i) => {
    const own = new URLSearchParams(parameters);
    if (named !== '') own.set('host', host);
    const port = ports[i] ?? '';
    if (port === '') own.delete('port');
    else own.set('port', port);
    const rest = own.toString();
    const place = named === '' ? host : placeholderHost(authority, user);
    return `${scheme}${user}${place}${path}${rest === '' ? '' : `?${rest}`}`;
  });
  if (!urls.every((url) => URL.canParse(url)))
    throw new PostgresUrlFault('must be postgres://user:password@host/database');
  return { urls, needsReadWrite: attrs === undefined ? urls.length > 1 : attrs === 'read-write' };
}

/** Returns the part of a URL where the host is, if the parameter `host` overrides it. A user needs a host after it. */
function placeholderHost(authority: string, user: string): string {
  const [first = ''] = authority.split(',');
  return first === '' && user !== '' ? 'localhost' : first;
}

const maxPort = 65_535;

/** Returns the parameter `port` for each host; one port is for all. An empty one is the usual port, or that of the URL. */
function readPorts(parameters: URLSearchParams, hosts: number): string[] {
  const ports = parameters.get('port')?.split(',') ?? [''];
  const [first = ''] = ports;
  if (ports.length !== 1 && ports.length !== hosts)
    throw new PostgresUrlFault(
      `must be a URL with one port, or as many as hosts: it has ${ports.length} ports, and hosts: ${hosts}`,
    );
  if (ports.some((port) => port !== '' && !(/^\d+$/.test(port) && +port >= 1 && +port <= maxPort)))
    throw new PostgresUrlFault(`must be a URL with a port from 1 to ${maxPort}`);
  return ports.length === 1 ? Array.from({ length: hosts }, () => first) : ports;
}

/** Returns the host and port of a server's URL, for messages: without user and password. */
export function serverName(url: string): string {
  const { hostname, port: usual, searchParams } = new URL(url);
  const port = searchParams.get('port') ?? usual;
  return `${searchParams.get('host') || hostname}${port === '' ? '' : `:${port}`}`;
}

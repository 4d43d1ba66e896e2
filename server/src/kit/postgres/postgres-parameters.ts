// Names of the parameters of a `postgres://` URL, and what to write instead of those of other programs.

/** Parameters of a `postgres://` URL that the driver or the service reads. */
export const postgresParameters: readonly string[] = `
  user password host port target_session_attrs options application_name
  sslmode sslrootcert sslcert sslkey sslnegotiation uselibpqcompat
  lock_timeout query_timeout
`
  .trim()
  .split(/\s+/);

/** Parameters of libpq that have no effect here (PostgreSQL 18, §32.1.2). */
export const libpqParameters: readonly string[] = `
  hostaddr passfile service servicefile replication load_balance_hosts
  connect_timeout tcp_user_timeout client_encoding fallback_application_name
  keepalives keepalives_idle keepalives_interval keepalives_count
  sslcompression sslpassword sslcertmode sslcrl sslcrldir sslsni sslkeylogfile
  ssl_min_protocol_version ssl_max_protocol_version
  min_protocol_version max_protocol_version channel_binding require_auth requirepeer
  gssencmode gsslib gssdelegation krbsrvname scram_client_key scram_server_key
  oauth_issuer oauth_client_id oauth_client_secret oauth_scope
`
  .trim()
  .split(/\s+/);

const writeMode =
  'write sslmode=verify-full for TLS with a verified certificate, sslmode=no-verify without verifying it';
/** What to write instead of parameters of other programs. */
export const replacements: Readonly<Record<string, string>> = {
  ssl: writeMode,
  tls: writeMode,
  requiressl: writeMode,
  dbname: 'write the database in the path: postgres://host/database',
  database: 'write the database in the path: postgres://host/database',
  schema: 'write options=-c%20search_path%3D<name of the schema>',
};

/** What to do about `sslrootcert=system` of libpq. */
export const systemAuthorities =
  'remove sslrootcert=system: the authorities of Node.js are trusted without it, and those of the system too with NODE_OPTIONS=--use-system-ca';

// Decides whether TLS protects the connection to a PostgreSQL server, from the parameters of its URL as the driver reads
// them.

const verified = 'TLS with a verified certificate';
const unverified = 'TLS without verifying the certificate';
const anyHost = 'TLS with a verified certificate, whatever host it names';

/** Values of `sslmode` that the driver knows. It would connect without TLS for any other. */
export const tlsModes: Readonly<Record<string, string>> = {
  disable: 'no TLS',
  prefer: verified,
  require: verified,
  'verify-ca': verified,
  'verify-full': verified,
  'no-verify': unverified,
};

/** The same with `uselibpqcompat=true`, and without `sslrootcert`. */
const compatibleModes: Readonly<Record<string, string>> = {
  ...tlsModes,
  prefer: unverified,
  require: unverified,
  'verify-ca': anyHost,
  'no-verify': verified, // libpq has no such mode, so the driver changes nothing
};

/** Parameters that turn TLS on where no `sslmode` is given. */
const files = ['sslrootcert', 'sslcert', 'sslkey'];

/** What protects a connection. */
export interface PostgresTls {
  /** The URL, with the mode under the name that the driver uses without a warning. */
  readonly url: string;
  /** One phrase for the operator. */
  readonly says: string;
}

/**
 * Returns what protects the connection of a `postgres://` URL. In the modes prefer and require the driver verifies the
 * certificate, which libpq does not, and prints a warning about it. Here they get the name of what they are.
 * @param environment the driver uses its `PGSSLMODE` if the URL says nothing about TLS.
 */
export function postgresTls(
  url: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): PostgresTls {
  const parameters = new URLSearchParams(/\?([^#]*)/.exec(url)?.[1]);
  const given = (name: string): boolean => (parameters.get(name) ?? '') !== '';
  const mode = parameters.get('sslmode') ?? '';
  if (mode === '') {
    const turnsOn = parameters.get('sslnegotiation') === 'direct' ? 'sslnegotiation=direct' : undefined;
    const reason = files.find(given) ?? turnsOn;
    if (reason !== undefined) return { url, says: `${verified} (${reason})` };
    const usual = environment['PGSSLMODE'] ?? 'disable';
    return { url, says: `${tlsModes[usual] ?? 'no TLS'} (sslmode=${usual})` };
  }
  if (parameters.get('uselibpqcompat') === 'true') {
    const says = mode === 'require' && given('sslrootcert') ? anyHost : compatibleModes[mode];
    return { url, says: `${says ?? verified} (sslmode=${mode}, as in libpq)` };
  }
  const isRenamed = ['prefer', 'require', 'verify-ca'].includes(mode);
  return {
    url: isRenamed ? url.replace(/([?&]sslmode=)[\w-]+/, '$1verify-full') : url,
    says: `${tlsModes[mode] ?? 'no TLS'} (sslmode=${mode})`,
  };
}

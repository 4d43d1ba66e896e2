// What protects the connection to a PostgreSQL server, by the parameter `sslmode` of its URL.

const verified = 'TLS with a verified certificate';

/** Values of `sslmode` that the driver knows. It would connect without TLS for any other. */
export const tlsModes: Readonly<Record<string, string>> = {
  disable: 'no TLS',
  prefer: verified,
  require: verified,
  'verify-ca': verified,
  'verify-full': verified,
  'no-verify': 'TLS without verifying the certificate',
};

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
 * @param environment the driver uses its `PGSSLMODE` if the URL has no mode.
 */
export function postgresTls(
  url: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): PostgresTls {
  const written = /[?&]sslmode=(?<mode>[\w-]+)/.exec(url)?.groups?.['mode'];
  const mode = written ?? environment['PGSSLMODE'] ?? 'disable';
  if (/[?&]uselibpqcompat=true(?:&|#|$)/.test(url))
    return { url, says: `TLS as libpq does with sslmode=${mode}` };
  const isRenamed = ['prefer', 'require', 'verify-ca'].includes(written ?? '');
  return {
    url: isRenamed ? url.replace(/([?&]sslmode=)[\w-]+/, '$1verify-full') : url,
    says: `${tlsModes[mode] ?? 'no TLS'} (sslmode=${mode})`,
  };
}

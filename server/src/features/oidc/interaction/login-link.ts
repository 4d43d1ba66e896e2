/**
 * Returns the address at which an application begins a sign-in (OpenID Connect Core 1.0 §4); `undefined` if it has none.
 * @param issuer The application may know several providers.
 */
export function loginLink(initiateLoginUri: string | undefined, issuer: string): string | undefined {
  const url = initiateLoginUri === undefined ? null : URL.parse(initiateLoginUri);
  url?.searchParams.set('iss', issuer);
  return url?.href;
}

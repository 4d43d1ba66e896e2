// How long the parameter `state` of an application may be.

/**
 * Longest `state`, percent-encoded. After a form the address of the application, with a redirect URI of 2,000
 * characters, is encrypted in an address of ours, of which proxies pass 8 kB.
 */
const maxCharacters = 3500;

/** Why a `state` is refused; `undefined` if it is short enough. */
export function faultOfState(state: unknown): string | undefined {
  const length = typeof state === 'string' ? encodeURIComponent(state.toWellFormed()).length : 0;
  return length > maxCharacters
    ? `state is longer than ${maxCharacters} characters in percent-encoding`
    : undefined;
}

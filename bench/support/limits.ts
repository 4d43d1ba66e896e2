/**
 * Options that set the limits on attempts so wide that a generator, which is one address, never meets them: for whatever
 * measures what a login costs. How the limits themselves hold is measured with the defaults, in the flood.
 */
export const wideLimits: Readonly<Record<string, string>> = {
  ADDRESS_LIMIT_PER_MINUTE: '1000000000',
  GLOBAL_LIMIT_PER_MINUTE: '1000000000',
};

/**
 * Options that widen the rate limits so much that a generator, which has one address, never reaches them: for measuring
 * the cost of a login. The flood measures the default limits.
 */
export const wideLimits: Readonly<Record<string, string>> = {
  ADDRESS_LIMIT_PER_MINUTE: '1000000000',
  GLOBAL_LIMIT_PER_MINUTE: '1000000000',
  ACCOUNT_READS_PER_MINUTE: '1000000000',
};

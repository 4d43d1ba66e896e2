// Uses of factors: how a user authenticated, and when. A session stores them.

/**
 * Types of factors: what the user knows, has or is (NIST SP 800-63-4). Multi-factor authentication (`mfa` in RFC 8176
 * §2) needs two different ones.
 */
export type FactorType = 'knowledge' | 'possession' | 'inherence';

/** A verified use of a factor, as a session stores it. */
export interface FactorUse {
  /** `password`, `email`, or the name of a second factor. */
  readonly factor: string;
  /** True if its verification proved two types of factor, so that no second one is required. */
  readonly isMultiFactor?: boolean | undefined;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Parses the uses of factors of a stored session. */
export function parseFactors(text: string): FactorUse[] {
  return JSON.parse(text) as FactorUse[]; // written by formatFactors
}

/** Formats the uses of factors for storage. */
export function formatFactors(uses: readonly FactorUse[]): string {
  return JSON.stringify(uses);
}

/**
 * Returns the uses with another one added. Only the latest use of each factor stays; it proved several factors if an
 * earlier one did.
 */
export function withFactor(uses: readonly FactorUse[], use: FactorUse): FactorUse[] {
  const isMultiFactor = uses.some((earlier) => earlier.factor === use.factor && earlier.isMultiFactor);
  const latest = isMultiFactor ? { ...use, isMultiFactor } : use;
  return [...uses.filter(({ factor }) => factor !== use.factor), latest];
}

/** Returns when the newest use was, in Unix milliseconds; `undefined` without one. */
export function newestUse(uses: readonly FactorUse[]): number | undefined {
  return uses.length === 0 ? undefined : Math.max(...uses.map(({ at }) => at));
}

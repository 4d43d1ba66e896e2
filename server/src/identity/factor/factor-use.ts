// Uses of factors: how a user authenticated, and when. A session stores them.
/** A verified use of a factor, as a session stores it. */
export interface FactorUse {
  /** `password`, `email`, or the name of a second factor. */
  readonly factor: string;
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

/** Returns the uses with another one added. Only the latest use of each factor stays. */
export function withFactor(uses: readonly FactorUse[], use: FactorUse): FactorUse[] {
  return [...uses.filter(({ factor }) => factor !== use.factor), use];
}

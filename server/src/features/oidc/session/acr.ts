// Which authentication context a session has reached (OpenID Connect Core 1.0 §2, `acr`).
import { newestUse, type FactorUse } from '../../../identity/factor/factor-use.ts';

/** Two different factors, or a passkey that verified its user (REFEDS MFA Profile). */
const multiFactor = 'https://refeds.org/profile/mfa';
/** One factor (REFEDS SFA Profile). */
const singleFactor = 'https://refeds.org/profile/sfa';
/** Phishing-resistant (OpenID Connect Extended Authentication Profile ACR Values 1.0 §3). */
const phishingResistant = 'phr';

/** Published as `acr_values_supported`, the strongest first. */
export const acrValues: readonly string[] = [phishingResistant, multiFactor, singleFactor];

/** Authentication methods that resist phishing (RFC 8176 §2): proof of possession of a key. */
const resistantMethods: readonly string[] = ['pop', 'hwk', 'swk'];

/** Returns the contexts that a session has reached, the strongest first. @param amr Its methods (RFC 8176). */
export function reachedAcrs(amr: readonly string[]): readonly string[] {
  const isResistant = amr.some((method) => resistantMethods.includes(method));
  return acrValues.filter((acr) => {
    if (acr === phishingResistant) return isResistant;
    return acr === multiFactor ? amr.includes('mfa') : true;
  });
}

/** Returns the context for a token: the first requested one that was reached, otherwise the strongest. */
export function acrOf(amr: readonly string[], requested: readonly string[]): string | undefined {
  const reached = reachedAcrs(amr);
  return requested.find((acr) => reached.includes(acr)) ?? reached[0];
}

/** Names the factors that a user can give. The class SecondFactors does it. */
export interface ProofNames {
  usableOf(userId: number): Promise<string[]>;
  usableProving(userId: number, methods: readonly string[]): Promise<string[]>;
}

/** Returns whether a session has reached one of the requested contexts. */
export function hasReached(amr: readonly string[], requested: readonly string[]): boolean {
  const reached = reachedAcrs(amr);
  return requested.some((acr) => reached.includes(acr));
}

/**
 * Returns the factor that step-up asks for, so that the session reaches the first of the requested contexts that its user
 * can reach: `second` for any second factor. `undefined` if it has one of them, or if the user can reach none.
 */
export async function factorToReach(
  factors: ProofNames,
  { userId, amr }: { readonly userId: number; readonly amr: readonly string[] },
  requested: readonly string[],
): Promise<string | undefined> {
  if (hasReached(amr, requested)) return undefined;
  for (const acr of requested) {
    if (acr === phishingResistant) {
      const [name] = await factors.usableProving(userId, resistantMethods);
      if (name !== undefined) return name;
    }
    if (acr === multiFactor && (await factors.usableOf(userId)).length > 0) return 'second';
  }
  return undefined;
}

/** When the user of a session last proved who they are. */
export interface Proof {
  /** Unix milliseconds; `undefined` in a session without a factor. */
  readonly at: number | undefined;
  /** Factor that is a newer proof, as step-up names it; `undefined` for what sensitive actions require. */
  readonly factor: string | undefined;
}

/** Finds the newest proof. The class SecondFactors does it. */
export interface Proofs extends ProofNames {
  proofOf(
    userId: number,
    uses: readonly FactorUse[],
  ): Promise<{ readonly at: number | undefined; readonly isSecond: boolean }>;
}

/**
 * Returns when the user of a session last proved the strongest context that it has reached: `acr` and `auth_time` belong
 * together. After a passkey the code of an app is no newer proof, as long as the user has a passkey.
 */
export async function proofOf(
  factors: Proofs,
  { userId, amr }: { readonly userId: number; readonly amr: readonly string[] },
  uses: readonly FactorUse[],
): Promise<Proof> {
  if (reachedAcrs(amr).includes(phishingResistant)) {
    const names = await factors.usableProving(userId, resistantMethods);
    const at = newestUse(uses.filter((use) => names.includes(use.factor)));
    if (at !== undefined) return { at, factor: names[0] };
  }
  const { at, isSecond } = await factors.proofOf(userId, uses);
  return { at, factor: isSecond ? 'second' : undefined };
}

/** The claim `acr` of a request (OpenID Connect Core 1.0 §5.5.1.1). */
export interface RequestedAcr {
  readonly essential?: boolean;
  readonly value?: string;
  readonly values?: readonly string[];
}

/** Returns the contexts that a request names, in its order of preference. */
export function requestedAcrs({
  params,
  claims,
}: {
  readonly params?: { readonly acr_values?: unknown };
  readonly claims?: { readonly id_token?: { readonly acr?: RequestedAcr | null } };
}): readonly string[] {
  const { value, values = [] } = claims?.id_token?.acr ?? {};
  const wanted = value === undefined ? [values].flat() : [value];
  const listed = typeof params?.acr_values === 'string' ? params.acr_values.split(' ') : [];
  return [...wanted, ...listed].filter((acr) => typeof acr === 'string' && acr !== '');
}

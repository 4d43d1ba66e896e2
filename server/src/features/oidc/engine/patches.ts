// Every change to the inside of the engine, one per function. Each has a test that fails without it
// (patches.test.ts): an update of the engine that moves what is patched shows there.
import type Provider from 'oidc-provider';
import type { errors as Errors } from 'oidc-provider';
import type { Clock } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import { faultOfSecret } from '../wire/refusal-reason.ts';
import { limitScopes } from '../wire/scope-limit.ts';
import { isSecret } from '../client/secret.ts';
import { listLiveSecrets } from '../client/store.ts';
import { acrOf, requestedAcrs, type RequestedAcr } from '../session/acr.ts';
import type { ClientLimit } from '../token/client-limit.ts';
import { sidOf } from '../session/sid.ts';
import { currentUnit } from '../token/unit.ts';
import { tokenPrefixes } from '../token/token-form.ts';
import { useIdentifiersOnce, type UsedOnceParts } from '../token/used-once.ts';

export interface PatchParts extends UsedOnceParts {
  readonly errors: Pick<typeof Errors, 'InvalidClientAuth' | 'InvalidDpopProof'>;
  readonly db: Database;
  readonly clock: Clock;
  readonly origin: string;
  readonly limit: ClientLimit;
  /** Returns the network of the running request. */
  readonly networkOf: () => string;
}

/** Members of the engine that its types do not declare. */
type Inside = Record<string, unknown>;

/** Applies all patches to a provider. */
export function patchProvider(provider: Provider, parts: PatchParts): void {
  pinAddress(provider, parts);
  deriveSids(provider);
  chooseAcr(provider);
  prefixTokens(provider);
  useIdentifiersOnce(provider, parts);
  compareSecrets(provider, parts);
  limitScopes(provider);
}

/**
 * Pins the address of every request to that of the service. The engine would build its links from the Host header, which
 * a client chooses (CWE-640).
 */
function pinAddress(provider: Provider, { origin }: PatchParts): void {
  const { host, protocol } = new URL(origin);
  Object.defineProperties(provider.request, {
    host: { get: () => host },
    protocol: { get: () => protocol.slice(0, -1) },
    href: {
      get(this: { readonly originalUrl: string }) {
        // A request line may name a whole URL, whose origin is ignored too.
        const { pathname, search } = new URL(this.originalUrl, origin);
        return `${origin}${pathname}${search}`;
      },
    },
  });
}

/** Two tabs that sign in at the same time get the same `sid`, because it is computed instead of drawn. */
function deriveSids(provider: Provider): void {
  inside(provider.Session.prototype)['ensureClientContainer'] = nameSession;
}

function nameSession(
  this: { readonly uid: string; sidFor(clientId: string, sid?: string): string | undefined },
  clientId: string,
): void {
  if (this.sidFor(clientId) === undefined) this.sidFor(clientId, sidOf(this.uid, clientId));
}

/** Of the requested contexts the first one that was reached is returned; the engine would ignore the request. */
function chooseAcr(provider: Provider): void {
  const context = provider as unknown as { readonly OIDCContext: { readonly prototype: object } };
  Object.defineProperty(context.OIDCContext.prototype, 'acr', {
    get(this: {
      readonly session: { readonly amr?: readonly string[]; readonly accountId?: string };
      readonly params?: { readonly acr_values?: string };
      readonly claims?: { readonly id_token?: { readonly acr?: RequestedAcr | null } };
    }) {
      if (this.session.accountId === undefined) return undefined;
      return acrOf(this.session.amr ?? [], requestedAcrs(this));
    },
  });
}

/** Tokens begin with the prefix of their kind. */
function prefixTokens(provider: Provider): void {
  for (const [kind, prefix] of Object.entries(tokenPrefixes)) {
    const { prototype } = (provider as unknown as Record<string, { readonly prototype: object }>)[kind] ?? {
      prototype: {},
    };
    const generate = inside(prototype)['generateTokenId'] as (this: unknown) => string;
    inside(prototype)['generateTokenId'] = function generateTokenId(this: unknown): string {
      return prefix + generate.call(this);
    };
  }
}

/** Compares digests of secrets. After too many wrong ones the right one is refused as well: guessing is useless. */
function compareSecrets(provider: Provider, { db, clock, errors, limit, networkOf }: PatchParts): void {
  inside(provider.Client.prototype)['compareClientSecret'] = async function compareClientSecret(
    this: { readonly clientId: string },
    given: string,
  ): Promise<boolean> {
    const network = networkOf();
    const secrets =
      currentUnit()?.seen.secrets.get(this.clientId) ?? (await listLiveSecrets(db, this.clientId, clock()));
    // After the look-up, so that requests at the same time count each other's wrong secrets.
    if (!limit.maySecretBeTried(this.clientId, network))
      throw new errors.InvalidClientAuth('too many wrong secrets from this network: wait for a minute');
    if (!isSecret(secrets, given)) {
      limit.noteWrongSecret(this.clientId, network);
      throw new errors.InvalidClientAuth(faultOfSecret(secrets, given));
    }
    currentUnit()?.noteAuthentication();
    return true;
  };
}

function inside(value: object): Inside {
  return value as Inside;
}

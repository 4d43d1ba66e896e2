// Loads the engine at its first request, so that a service whose applications do not use it starts as fast and as small as
// before, and replaces it when the signing keys change.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import type { JWK } from 'oidc-provider';
import type { AuditSource } from '../../../audit/event.ts';
import type { ProviderParts } from './provider.ts';

/** The keys of the service (keys/signing-keys.ts). */
export interface KeySource {
  published(): Promise<{ readonly version: string; readonly keys: readonly JWK[] }>;
}

type Callback = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

interface Loaded {
  readonly provider: Provider;
  readonly callback: Callback;
}

const sources = new WeakMap<IncomingMessage, AuditSource>();

/** Returns the source of a request that the engine handles. */
export function sourceOfRequest(request: IncomingMessage): AuditSource {
  return sources.get(request) ?? { actor: 'anonymous' };
}

export class Engine {
  readonly #keys: KeySource;
  readonly #parts: ProviderParts;
  #loaded: { readonly version: string; readonly provider: Promise<Loaded> } | undefined;

  constructor(keys: KeySource, parts: ProviderParts) {
    this.#keys = keys;
    this.#parts = parts;
  }

  /** Returns the provider with the published keys. A running request ends with the former one. */
  async provider(): Promise<Provider> {
    return (await this.#current()).provider;
  }

  /** Answers a request. */
  async handle(request: IncomingMessage, response: ServerResponse, source: AuditSource): Promise<void> {
    sources.set(request, source);
    const { callback } = await this.#current();
    await callback(request, response);
  }

  async #current(): Promise<Loaded> {
    const { version, keys } = await this.#keys.published();
    if (this.#loaded?.version !== version) this.#loaded = { version, provider: this.#load(keys) };
    const { provider } = this.#loaded;
    return provider.catch((error: unknown) => {
      if (this.#loaded?.provider === provider) this.#loaded = undefined; // the next request tries again
      throw error;
    });
  }

  async #load(keys: readonly JWK[]): Promise<Loaded> {
    const [library, { createProvider }] = await Promise.all([
      import('oidc-provider'),
      import('./provider.ts'),
    ]);
    const provider = createProvider(library, keys, this.#parts);
    return { provider, callback: provider.callback() };
  }
}

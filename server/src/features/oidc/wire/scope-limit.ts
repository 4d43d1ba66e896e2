// Limits a client to the scopes that it is registered for. A patch of the engine (engine/patches.ts).
import type Provider from 'oidc-provider';

/** The list without a scope: the engine takes an empty text for no list. */
const noScopes = ' ';

/** A client without standard scopes may request none. The engine would let it request all. */
export function limitScopes(provider: Provider): void {
  const model = provider.Client;
  const find = model.find.bind(model);
  model.find = async (id) => {
    const client = await find(id);
    if (client !== undefined) Object.assign(client, { scope: client.scope ?? noScopes });
    return client;
  };
}

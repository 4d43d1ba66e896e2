// The request of a device that waits for a person (RFC 8628 §3.3): what it asks for.
import type Provider from 'oidc-provider';
import { Problem } from '../../../kit/problem.ts';
import type { Database } from '../../../db/database.ts';
import { findAccount, isAllowed, type AccountParts, type EngineClient } from '../session/account.ts';
import { requestedAcrs } from '../session/acr.ts';
import { accessOf, type RequestedAccess } from '../session/requested-access.ts';
import type { DeviceInfo } from '../token/device-polls.ts';
import './problem.ts';

/** The engine's model of a request. */
export type DeviceCode = InstanceType<Provider['DeviceCode']>;

/** A request that waits. */
export interface DeviceRequest {
  readonly code: DeviceCode;
  readonly client: { readonly id: string; readonly name: string; readonly isFirstParty: boolean };
  /** Decides who may use the client. */
  readonly engineClient: EngineClient;
  readonly access: RequestedAccess;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Names of the authentication contexts that the device asks for, and whether it needs one of them. */
  readonly acrs: readonly string[];
  readonly needsAcr: boolean;
  /** Network address from which the device asked, if it is known. */
  readonly address: string | undefined;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** What the page asks. `no_access`: the user may not use the application. */
export interface DeviceQuestion {
  readonly kind: 'consent' | 'no_access';
  readonly letters: string;
  readonly request: DeviceRequest;
}

interface ClaimsParameter {
  readonly id_token?: {
    readonly acr?: {
      readonly essential?: boolean;
      readonly value?: string;
      readonly values?: string[];
    } | null;
  };
}

/**
 * Returns the request with this code.
 * @param letters The code without its dash.
 * @throws {Problem} device_code_unknown, device_code_expired or device_code_used.
 */
export async function requireDeviceRequest(
  db: Database,
  provider: Provider,
  letters: string,
): Promise<DeviceRequest> {
  const code = await provider.DeviceCode.findByUserCode(letters, { ignoreExpiration: true });
  const client = code?.clientId === undefined ? undefined : await provider.Client.find(code.clientId);
  if (code === undefined || client === undefined) throw new Problem('device_code_unknown');
  if (code.consumed !== undefined || code.error !== undefined || code.accountId !== undefined)
    throw new Problem('device_code_used');
  if (code.isExpired) throw new Problem('device_code_expired');
  const engineClient = client as unknown as EngineClient;
  const { scope = '', bienvenue_resource_scopes: ofResources = [] } = engineClient;
  const { clientId: id, clientName: name = id } = client;
  const { params = {} } = code;
  const claims = claimsOf(params);
  const { address, at } = code.deviceInfo as Partial<DeviceInfo> as DeviceInfo; // of the configuration
  return {
    code,
    client: { id, name, isFirstParty: engineClient.bienvenue_first_party === true },
    engineClient,
    access: await accessOf(db, params, [...scope.split(' '), ...ofResources]),
    parameters: params,
    acrs: requestedAcrs({ params, claims }),
    needsAcr: claims.id_token?.acr?.essential === true,
    address,
    createdAt: at,
  };
}

/** Returns whether the user may use the client of a request. */
export async function mayUseClient(
  accounts: AccountParts,
  { engineClient }: DeviceRequest,
  subject: string,
): Promise<boolean> {
  const account = await findAccount(accounts, subject);
  return account !== undefined && (await isAllowed(account.user, engineClient, accounts));
}

/** Returns the parameter `claims` of a request. */
export function claimsOf({ claims }: Readonly<Record<string, unknown>>): ClaimsParameter {
  return typeof claims === 'string' ? (JSON.parse(claims) as ClaimsParameter) : {}; // the engine has parsed it before
}

// Programs that others wrote, as relying parties: how each is registered, started and used.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { freePort } from '../../../../test/support/free-port.ts';
import { CommandHost } from '../../../../test/support/program.ts';
import type { Owner } from '../../../../test/support/running-service.ts';
import type { ProviderSite } from './site.ts';

/** What the user or the application does. */
export type Scenario =
  | 'sign in'
  | 'refresh'
  | 'step up by acr'
  | 'sign out there'
  | 'sign out here'
  | 'disable';

/** What the program is given. */
export interface Settings {
  readonly issuer: string;
  readonly id: string;
  readonly secret: string;
  /** Its origin, as browsers reach it. */
  readonly own: string;
}

/** A program. Its pages: `/` shows the user, `/profile` the claims after a refresh, `/settings` needs two factors. */
export interface Party {
  readonly name: string;
  /** Why it cannot run on this machine. */
  readonly missing: string | false;
  /** The command that registers it, as a guide prints it. */
  readonly registration: string;
  /** Path that signs the user out there and here. */
  readonly signOut: string;
  /** Whether the end of a session reaches it by back-channel logout. Others notice when they refresh their token. */
  readonly hears: boolean;
  /** Whether it answers only one user at a time: the scenarios run one after the other. */
  readonly isSerial?: boolean;
  /** Scenarios that it cannot do, with the reason. */
  readonly cannot: Readonly<Partial<Record<Scenario, string>>>;
  readonly start: (t: Owner, settings: Settings) => Promise<void>;
}

/** The key of the data of a site, which the commands need too. */
export const secretKey = `test ${Buffer.alloc(32, 'test').toString('base64url')}`;

/** Registers a program by its command, and starts it. */
export async function startParty(
  t: Owner,
  site: ProviderSite,
  { registration, start }: Party,
): Promise<Settings> {
  const own = `http://localhost:${await freePort()}`;
  const settings = await registerParty(site, { registration, own });
  await start(t, settings);
  return settings;
}

/** Registers a program at `own` by the commands of a guide. The last one registers the client. */
export async function registerParty(
  site: ProviderSite,
  { registration, own }: Pick<Party, 'registration'> & Pick<Settings, 'own'>,
): Promise<Settings> {
  const outputs = await registered(site, registration.replaceAll('http://localhost:3000', own));
  const { id = '', secret = '' } = outputs.at(-1) ?? {};
  return { issuer: site.origin, id, secret, own };
}

/** Runs the commands of a guide. Returns the id and secret of each client; neither of a resource. */
export async function registered(
  site: ProviderSite,
  commands: string,
): Promise<readonly { readonly id?: string; readonly secret?: string }[]> {
  const environment = {
    DATABASE_URL: site.service.url,
    SECRET_KEY: secretKey,
    PORT: new URL(site.origin).port,
  };
  const outputs: { id?: string; secret?: string }[] = [];
  for (const command of commands.replaceAll('\\\n', ' ').trim().split('\n')) {
    const output = await host.json(wordsOf(command), { environment });
    const { client_id: id, client_secret: secret } = output as { client_id?: string; client_secret?: string };
    outputs.push({ ...(id !== undefined && { id }), ...(secret !== undefined && { secret }) });
  }
  return outputs;
}

/** Runs the commands of a site, and ends with the tests. */
const host = new CommandHost();
after(() => host.close());

/** Returns the arguments of a printed command. */
function wordsOf(command: string): string[] {
  const [program, ...words] = [...command.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
  assert.equal(program, 'bienvenue');
  return words;
}

/** Returns the settings as the programs read them. */
export function environmentOf({ issuer, id, secret, own }: Settings): Record<string, string> {
  return { ISSUER: issuer, CLIENT_ID: id, CLIENT_SECRET: secret, OWN: own };
}

// Programs that others wrote sign users in at the provider: one table of scenarios and programs. Those of the guides
// docs/guides/openid-web.md and docs/guides/openid-products.md run as they are printed there.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { blocksOf } from '../../../../test/support/document.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import type { Sql } from '../../../db/database.ts';
import { findClient, updateClient } from '../client/store.ts';
import type { GrantTables } from '../grant/schema.ts';
import type { LogoutTables } from '../logout/schema.ts';
import { registerParty, secretKey, startParty, type Party, type Scenario, type Settings } from './party.ts';
import { parties } from './programs.ts';
import { ProviderSite, textOf, type Arrival, type Person } from './site.ts';
import { addSkippedApp, withoutSkippedApp } from './skipped-app.ts';

/** Lifetime of the access tokens, after which programs refresh them. */
const tokenSeconds = 8;

let site: ProviderSite;
before(async () => {
  site = await ProviderSite.open('sqlite', {
    SECRET_KEY: secretKey,
    REMEMBERED_DEVICE_DAYS: '30',
  });
});
after(() => site.close());

/** A person at a browser that opens the pages of the program. */
async function personAt({ own }: Settings, options: { readonly isSignedIn?: boolean } = {}): Promise<Person> {
  const person = await site.person(options);
  person.follows.add(own);
  return person;
}

function assertPage({ url, status, text }: Arrival, expected: string, includes: string): void {
  assert.equal(url.split('?')[0], expected, `${status} ${textOf(text)}`);
  assert.equal(status, 200, text);
  assert.ok(text.includes(includes), textOf(text));
}

function assertAsked({ url, status, text }: Arrival): void {
  assert.equal(url.split('?')[0], `${site.origin}/sign-in`, `${status} ${textOf(text)}`);
}

/** Runs the job that delivers logouts, until all are delivered: another test may be delivering some of them. */
async function deliverLogouts(): Promise<void> {
  await eventually('the delivery of all logouts', async () => {
    for (const { jobs = [] } of site.service.service.modules)
      for (const job of jobs) if (job.name === 'deliver logouts') await job.run();
    const left = await site.db.query((sql: Sql<LogoutTables>) =>
      sql.selectFrom('oidc_logouts').select('last_error'),
    );
    return left.length === 0;
  });
}

/** Refresh tokens of a person that were replaced. */
async function refreshesOf(person: Person): Promise<number> {
  const session = await site.service.core.auth.getSession(person.sessionToken);
  const rows = await site.db.query((sql: Sql<GrantTables>) =>
    sql
      .selectFrom('oidc_tokens')
      .select('id')
      .where('kind', '=', 'RefreshToken')
      .where('user_id', '=', session?.userId ?? 0)
      .where('consumed_at', 'is not', null),
  );
  return rows.length;
}

/** Makes access tokens expire sooner than any command allows, so that no test waits for long. */
async function shortenTokens({ id }: Settings): Promise<void> {
  const client = await findClient(site.db, id);
  if (client === undefined) return assert.fail(`there is no client ${id}`);
  const lifetimes = { ...client.lifetimes, accessTokenSeconds: tokenSeconds };
  await updateClient(site.db, { ...client, lifetimes }, { managedBy: null, now: Date.now() });
}

const scenarios: Readonly<Record<Scenario, (party: Party, settings: Settings) => Promise<void>>> = {
  'sign in': async (_party, settings) => {
    const person = await personAt(settings, { isSignedIn: false });
    const page = await person.visit(`${settings.own}/`);
    assertAsked(page);
    assertPage(await person.signInAt(page), `${settings.own}/`, person.email);
    const other = await personAt(settings);
    assertPage(await other.visit(`${settings.own}/`), `${settings.own}/`, other.email);
  },

  refresh: async (_party, settings) => {
    const person = await personAt(settings);
    await person.visit(`${settings.own}/`);
    const earlier = await refreshesOf(person);
    await wait(tokenSeconds * 1000);
    assertPage(await person.visit(`${settings.own}/profile`), `${settings.own}/profile`, person.email);
    assert.ok((await refreshesOf(person)) > earlier, 'the token was refreshed');
  },

  'step up by acr': async (_party, settings) => {
    const person = await personAt(settings);
    const code = await addSkippedApp(person);
    await person.visit(`${settings.own}/`);
    const page = await person.visit(`${settings.own}/settings`);
    assert.equal(new URL(page.url).pathname, '/step-up', textOf(page.text));
    assertPage(await person.submit(page, { proof: code() }), `${settings.own}/settings`, 'two factors');
  },

  'sign out there': async ({ signOut }, settings) => {
    const person = await personAt(settings);
    await person.visit(`${settings.own}/`);
    const arrival = await person.visit(
      `${settings.own}${signOut.replace('OWN', encodeURIComponent(settings.own))}`,
    );
    assert.equal((await person.send('GET', '/profile')).status, 403, 'the session here has ended');
    const isBack = arrival.url.startsWith(`${settings.own}/`);
    if (!isBack) assertAsked(arrival); // its start page asks for a sign-in
    assertAsked(await person.visit(`${settings.own}/`));
  },

  'sign out here': async (party, settings) => {
    const person = await personAt(settings);
    await person.visit(`${settings.own}/`);
    const { status } = await person.send('DELETE', '/sessions');
    assert.equal(status, 200);
    await assertSignedOut(party, settings, person);
  },

  disable: async (party, settings) => {
    const person = await personAt(settings);
    await person.visit(`${settings.own}/`);
    await site.disable(person);
    await assertSignedOut(party, settings, person);
  },
};

/** A program that hears of the end asks for a sign-in immediately, others when their access token has expired. */
async function assertSignedOut({ hears }: Party, { own }: Settings, person: Person): Promise<void> {
  if (hears) {
    await deliverLogouts();
    assertAsked(await person.visit(`${own}/`));
    return;
  }
  await wait(tokenSeconds * 1000);
  assertAsked(await person.visit(`${own}/profile`));
}

for (const party of parties)
  describe(party.name, { skip: party.missing, concurrency: party.isSerial !== true }, () => {
    const ends: (() => Promise<void>)[] = [];
    let settings: Settings;
    before(async () => {
      settings = await startParty({ after: (end) => void ends.push(end) }, site, party);
      await shortenTokens(settings);
    });
    after(async () => {
      for (const end of ends) await end();
    });
    for (const [name, scenario] of Object.entries(scenarios)) {
      const reason = party.cannot[name as Scenario] ?? (name === 'step up by acr' && withoutSkippedApp);
      test(name, { skip: reason }, () => scenario(party, settings));
    }
  });

test('the commands of the guides register clients, also for the programs that do not run here', async () => {
  const pages = ['docs/guides/openid.md', 'docs/guides/openid-web.md', 'docs/guides/openid-products.md'];
  const commands = pages.flatMap(blocksOf).filter(({ language }) => language === 'sh');
  assert.ok(commands.length >= 10);
  for (const { key, text } of commands) {
    const own = 'http://localhost:3000';
    const tried = { registration: text.replace(/--id \S+ /, ''), own };
    assert.match((await registerParty(site, tried)).secret, /^bvs_/, key);
  }
});

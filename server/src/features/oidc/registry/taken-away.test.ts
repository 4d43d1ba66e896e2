// Each field of a client, and what a change that takes something away does to what was issued before: it ends, it is
// limited at its next use, or it stays for a reason.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { dayMs, minuteMs } from '../../../kit/clock.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { memberOf } from '../../../../test/support/request.ts';
import type { clientFields } from '../client/client-fields.ts';
import type { Input } from '../client/field.ts';
import { requireClient } from '../client/registration.ts';
import { oidcPaths } from '../engine/paths.ts';
import { confirmDevice, Program, TestKey, tokensIn, type IssuedTokens } from '../test/program.ts';
import { authorizationRequest, ProviderSite, type Person } from '../test/site.ts';
import { Clients } from './clients.ts';

const api = 'https://api.example.org';
const change = { source: { actor: 'operator' } } as const;
const home = 'https://wiki.example.org/';
const offline = 'openid email offline_access';

/** A client with a user. */
interface Stage {
  readonly site: ProviderSite;
  readonly person: Person;
  readonly program: Program;
}

/** Presents what was issued, or makes a request; returns whether it is of use. */
type Probe = () => Promise<boolean>;

interface Case {
  /** Fields of the client before. */
  readonly given?: Input;
  readonly change: Input;
  /** Returns what the client holds. It is presented before the change, and another one after it. */
  readonly holds: (stage: Stage) => Promise<Probe>;
  /** Why it stays; by default it ends, or is limited. */
  readonly stays?: string;
  /** Milliseconds between issue and use. */
  readonly after?: number;
}

const holdsAccess = async ({ program, person }: Stage): Promise<Probe> => {
  const { access } = await program.tokensOf(person);
  return async () => (await program.userinfo(access)).status === 200;
};

const refreshes = (program: Program, { refresh }: IssuedTokens): Probe => {
  return async () => {
    const isActive = await program.isActive(refresh);
    const { status, text } = await program.refresh(refresh);
    assert.equal(status === 200, isActive, text);
    return isActive;
  };
};

const holdsRefresh = async ({ program, person }: Stage): Promise<Probe> =>
  refreshes(program, await program.tokensOf(person));

/** A refresh token of a session that has ended. */
const holdsOffline = async ({ site, program, person }: Stage): Promise<Probe> => {
  const tokens = await program.tokensOf(person, { scope: offline, prompt: 'consent' });
  await endSession(site, person);
  return refreshes(program, tokens);
};

/** As before, and the session ends after the change. */
const holdsOfflineInSession = async ({ site, program, person }: Stage): Promise<Probe> => {
  const tokens = await program.tokensOf(person, { scope: offline, prompt: 'consent' });
  return async () => {
    await endSession(site, person);
    return refreshes(program, tokens)();
  };
};

async function endSession(site: ProviderSite, person: Person): Promise<void> {
  await site.service.core.auth.endSession(person.sessionToken?.split('.')[0] ?? '');
  await person.signIn(); // for what follows, in another session
}

const holdsCode = async ({ program, person }: Stage): Promise<Probe> => {
  const code = await program.codeOf(person);
  return async () => (await program.redeem(code)).status === 200;
};

/** A token for the resource, which another client serves. */
const holdsResourceToken =
  (at: (stage: Stage, token: string) => Promise<boolean>) =>
  async (stage: Stage): Promise<Probe> => {
    const { access } = await stage.program.tokensOf(stage.person, { scope: 'openid read', resource: api });
    return () => at(stage, access);
  };

const machine = { kind: 'service' } as const;
const key = await TestKey.create();
const otherKey = await TestKey.create();
const withKey = { ...machine, jwks: { keys: [key.jwk] } };

/** Gets a token with an assertion. */
const authenticatesByKey =
  (path: string) =>
  async ({ site, program }: Stage): Promise<Probe> => {
    return async () => {
      const aud = `${site.origin}${path}`;
      const fields = {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await key.assertion(program.application.id, { aud }),
      };
      return (await program.post(oidcPaths.token, fields, { isAuthenticated: false })).status === 200;
    };
  };

const cases: Readonly<Record<keyof typeof clientFields, readonly Case[]>> = {
  name: [{ change: { name: 'Other' }, holds: holdsRefresh, stays: 'pages show it' }],
  kind: [
    {
      change: { kind: 'native', token_endpoint_auth_method: null },
      // Without a secret, a stolen refresh token would be of use.
      holds: async ({ site, program, person }) => {
        const { refresh } = await program.tokensOf(person);
        const isPublic = new Program(site, { ...program.application, isPublic: true });
        return async () =>
          [await program.refresh(refresh), await isPublic.refresh(refresh)].some(
            ({ status }) => status === 200,
          );
      },
    },
  ],
  redirect_uris: [
    { change: { redirect_uris: ['https://other.example.org/callback'] }, holds: holdsCode },
    {
      change: { redirect_uris: ['https://other.example.org/callback'] },
      // A request that waits for its user.
      holds: async ({ program, person }) => {
        const { url } = await authorizationRequest(program.application, { prompt: 'consent' });
        const page = await person.visit(url);
        return async () => {
          if (!/name="answer"/.test((await person.visit(page.url)).text)) return false;
          return (await person.answer(page, 'allow')).url.startsWith(program.application.redirectUri);
        };
      },
    },
  ],
  post_logout_redirect_uris: [
    {
      change: { post_logout_redirect_uris: null },
      holds: async ({ program, person }) => {
        const { id } = await program.tokensOf(person);
        const query = new URLSearchParams({ id_token_hint: id, post_logout_redirect_uri: home }).toString();
        return async () => (await person.visit(`${oidcPaths.endSession}?${query}`)).url.startsWith(home);
      },
    },
  ],
  backchannel_logout_uri: [
    {
      given: { backchannel_logout_uri: 'https://wiki.example.org/logout' },
      change: { backchannel_logout_uri: null, backchannel_logout_session_required: null },
      holds: async ({ site, program, person }) => {
        await program.tokensOf(person);
        return async () => {
          const count = async (): Promise<number> =>
            (await site.db.query((sql) => sql.selectFrom('oidc_logouts' as never).selectAll())).length;
          const earlier = await count();
          await endSession(site, person);
          return (await count()) > earlier;
        };
      },
    },
  ],
  backchannel_logout_session_required: [
    {
      given: { backchannel_logout_uri: 'https://wiki.example.org/logout' },
      change: { backchannel_logout_session_required: false },
      holds: holdsRefresh,
      stays: 'it is about the form of the next tokens',
    },
  ],
  initiate_login_uri: [
    {
      given: { initiate_login_uri: home },
      change: { initiate_login_uri: null },
      holds: holdsRefresh,
      stays: 'pages link to it',
    },
  ],
  scopes: [
    {
      change: { scopes: ['openid'] },
      holds: async ({ program, person }) => {
        const { access } = await program.tokensOf(person);
        const isTold = async (): Promise<boolean> => {
          const { body } = await program.post(oidcPaths.introspection, { token: access });
          return String(memberOf(body, 'scope')).includes('email');
        };
        return async () => {
          const has = memberOf((await program.userinfo(access)).body, 'email') !== undefined;
          assert.equal(await isTold(), has);
          return has;
        };
      },
    },
    { change: { scopes: ['openid', 'email'] }, holds: holdsOffline },
    { change: { scopes: ['openid', 'email'] }, holds: holdsOfflineInSession },
    {
      change: { scopes: ['openid', 'email'] },
      holds: holdsRefresh,
      stays: 'it ends with its session, which goes on',
    },
    {
      given: { scopes: ['openid', 'read'], resource_of: [api] },
      change: { scopes: ['openid', 'email'] },
      holds: holdsResourceToken(({ program }, token) => program.isActive(token)),
    },
  ],
  grant_types: [
    { change: { grant_types: ['authorization_code'], scopes: ['openid', 'email'] }, holds: holdsRefresh },
    {
      given: { grant_types: ['authorization_code', 'device_code'], scopes: ['openid', 'email', 'profile'] },
      change: { grant_types: ['device_code'], redirect_uris: null },
      holds: holdsAccess,
    },
    {
      given: { grant_types: ['authorization_code', 'client_credentials'], scopes: ['openid'] },
      change: { grant_types: ['authorization_code'] },
      holds: async ({ program }) => {
        const { access } = tokensIn(
          await program.post(oidcPaths.token, { grant_type: 'client_credentials' }),
        );
        return () => program.isActive(access);
      },
    },
  ],
  device: [
    {
      given: { device: true },
      change: { grant_types: null, device: null },
      holds: async ({ program, person }) => {
        const device = await program.device();
        await confirmDevice(person, device);
        return async () => (await program.poll(device.deviceCode)).status === 200;
      },
    },
    {
      given: { device: true },
      change: { grant_types: null, device: null },
      holds: async ({ program, person }) => {
        const device = await program.device();
        await confirmDevice(person, device);
        const { access } = tokensIn(await program.poll(device.deviceCode));
        return () => program.isActive(access);
      },
    },
  ],
  token_endpoint_auth_method: [
    {
      change: { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } },
      holds: async ({ program, person }) => {
        const { refresh } = await program.tokensOf(person);
        return async () => (await program.refresh(refresh)).status === 200;
      },
    },
  ],
  jwks: [
    {
      given: withKey,
      change: { jwks: { keys: [{ ...otherKey.jwk, kid: 'k2' }] } },
      holds: authenticatesByKey(''),
    },
  ],
  id_token_signed_response_alg: [
    {
      change: { id_token_signed_response_alg: 'ES256' },
      holds: holdsRefresh,
      stays: 'it is about the next ID tokens',
    },
  ],
  first_party: [
    { change: { first_party: false }, holds: holdsRefresh },
    { change: { first_party: false }, holds: holdsOffline },
  ],
  allowed_email_domains: [{ change: { allowed_email_domains: ['other.example'] }, holds: holdsRefresh }],
  allowed_users: [{ change: { allowed_users: ['ann@other.example'] }, holds: holdsAccess }],
  allowed_groups: [{ change: { allowed_groups: ['staff'] }, holds: holdsRefresh }],
  skip_pkce: [
    {
      given: { skip_pkce: true },
      change: { skip_pkce: false },
      holds: async ({ program, person }) => {
        const { url } = await authorizationRequest(program.application);
        const request = new URL(url);
        for (const name of ['code_challenge', 'code_challenge_method']) request.searchParams.delete(name);
        const { redirectUri } = program.application;
        const arrival = await person.visitUntil(request.href, redirectUri);
        const code = new URL(arrival).searchParams.get('code') ?? '';
        const fields = { grant_type: 'authorization_code', code, redirect_uri: redirectUri };
        return async () => (await program.post(oidcPaths.token, fields)).status === 200;
      },
    },
  ],
  require_pushed_authorization_requests: [
    {
      change: { require_pushed_authorization_requests: true },
      holds: holdsCode,
      stays: 'its request was accepted before',
    },
  ],
  accept_token_endpoint_audience: [
    {
      given: { ...withKey, accept_token_endpoint_audience: true },
      change: { accept_token_endpoint_audience: false },
      holds: authenticatesByKey(oidcPaths.token),
    },
  ],
  resource_of: [
    {
      given: { scopes: ['openid', 'read'], resource_of: [api] },
      change: { resource_of: null },
      // The token of another client.
      holds: async ({ site, program, person }) => {
        const other = new Program(site, await site.application({ scopes: ['openid', 'read'] }));
        const { access } = await other.tokensOf(person, { scope: 'openid read', resource: api });
        return () => program.isActive(access);
      },
    },
  ],
  access_token_seconds: [{ change: { access_token_seconds: 60 }, holds: holdsAccess, after: 2 * minuteMs }],
  id_token_seconds: [
    {
      change: { id_token_seconds: 60 },
      holds: holdsRefresh,
      stays: 'ID tokens are verified without the provider, and live for an hour at most',
    },
  ],
  refresh_idle_days: [
    { change: { refresh_idle_days: 1 }, holds: holdsRefresh, after: 2 * dayMs },
    { change: { refresh_idle_days: 20 }, holds: holdsRefresh, after: 2 * dayMs, stays: 'it was used since' },
  ],
  refresh_max_days: [
    {
      given: { refresh_idle_days: 1 },
      change: { refresh_max_days: 5 },
      holds: async (stage) => {
        const { site, program, person } = stage;
        const tokens = await program.tokensOf(person);
        await ageFamily(site, program, 10 * dayMs);
        return refreshes(program, tokens);
      },
    },
  ],
  refresh_grace_seconds: [
    {
      change: { refresh_grace_seconds: 0 },
      holds: async ({ program, person }) => {
        const { refresh } = await program.tokensOf(person);
        tokensIn(await program.refresh(refresh));
        return async () => (await program.refresh(refresh)).status === 200;
      },
    },
  ],
};

/** Makes the sign-ins of a client older. */
async function ageFamily(site: ProviderSite, { application }: Program, ms: number): Promise<void> {
  const rows = (await site.db.query((sql) =>
    sql
      .selectFrom('oidc_tokens' as never)
      .select(['id' as never, 'payload' as never])
      .where('client_id' as never, '=', application.id as never)
      .where('kind' as never, '=', 'RefreshToken' as never),
  )) as { id: string; payload: string }[];
  for (const { id, payload } of rows) {
    const members = JSON.parse(payload) as { iiat: number };
    const aged = JSON.stringify({ ...members, iiat: members.iiat - ms / 1000 });
    await site.db.query((sql) =>
      sql
        .updateTable('oidc_tokens' as never)
        .set({ payload: aged } as never)
        .where('id' as never, '=', id as never),
    );
  }
}

onEachEngine('a change of a client', (engine) => {
  let site: ProviderSite;
  let clients: Clients;
  before(async () => {
    site = await ProviderSite.open(engine);
    clients = new Clients(site.service.core.context);
    await site.resource({ identifier: api });
  });
  after(() => site.close());

  const usual: Input = {
    name: 'Wiki',
    redirect_uris: [`${home}callback`],
    post_logout_redirect_uris: [home],
    first_party: true,
  };

  /** Registers a client by its rules. */
  async function stageOf(given: Input = {}): Promise<Stage> {
    const fields = given['kind'] === 'service' ? { name: 'Job', ...given } : { ...usual, ...given };
    const { client, secret = '' } = await clients.add(requireClient(fields), change);
    const { id, redirectUris, authMethod } = client;
    const [redirectUri = ''] = redirectUris;
    // A secret that the test does not use stands for none.
    const application = await site.discover({
      id,
      secret: secret || 'none',
      redirectUri,
      isPublic: authMethod === 'none',
    });
    return { site, person: await site.person(), program: new Program(site, application) };
  }

  for (const [name, each] of Object.entries(cases))
    describe(name, () => {
      for (const [n, one] of each.entries())
        test(`${one.stays === undefined ? 'ends' : `keeps, because ${one.stays},`} what was issued (${n + 1})`, async () => {
          const { given, change: input, holds, stays, after: waits = 0 } = one;
          const stage = await stageOf(given);
          const earlier = await holds(stage);
          const later = await holds(stage);
          site.service.clock.advance(waits);
          assert.equal(await earlier(), true, 'before the change');
          await clients.update(stage.program.application.id, input, change);
          assert.equal(await later(), stays !== undefined, 'after the change');
        });
    });

  test('offline_access that a client gets back brings no token back', async () => {
    const stage = await stageOf();
    const [ended, going] = [await holdsOffline(stage), await holdsOfflineInSession(stage)];
    const { id } = stage.program.application;
    await clients.update(id, { scopes: ['openid', 'email'] }, change);
    await clients.update(id, { scopes: null }, change);
    assert.deepEqual([await ended(), await going()], [false, false]);
  });
});

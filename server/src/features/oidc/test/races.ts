// Requests that arrive at the same time, at two instances on one database: exactly one uses a code, and nothing lives
// that a concurrent end has ended.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { programSource } from '../../../audit/event.ts';
import { onEachEngine, type EngineName } from '../../../../test/support/engines.ts';
import { memberOf, send, type Reply } from '../../../../test/support/request.ts';
import type { TestService } from '../../../../test/support/service.ts';
import { removeClient } from '../client/store.ts';
import { listConsents } from '../grant/consent-store.ts';
import { confirmDevice, countOf, Program, tokensIn, type IssuedTokens } from './program.ts';
import {
  authorizationRequest,
  deviceGrant,
  exchange,
  ProviderSite,
  type Application,
  type Person,
} from './site.ts';
import { oidcPaths } from '../engine/paths.ts';

/** Declares the tests. @param racers Requests for one code or token. @param rounds Races of a request and an end. */
export function declareRaces(racers: number, rounds: number): void {
  onEachEngine('of requests at the same time', (engine) => races(engine, racers, rounds));
}

function races(engine: EngineName, racers: number, rounds: number): void {
  let site: ProviderSite;
  let second: TestService;
  before(async () => {
    site = await ProviderSite.open(engine);
    second = await site.another();
  });
  after(async () => {
    await second.close();
    await site.close();
  });

  /** The instances take turns. */
  function race(count: number, request: (at: TestService) => Promise<Reply>): Promise<Reply[]> {
    return Promise.all(Array.from({ length: count }, (_, n) => request(n % 2 === 0 ? site.service : second)));
  }

  async function rowsOf(app: Application, kind?: string): Promise<number> {
    const rows = await site.db.query((sql) =>
      sql
        .selectFrom('oidc_tokens' as never)
        .select('kind' as never)
        .where('client_id' as never, '=', app.id as never),
    );
    return (rows as { kind: string }[]).filter((row) => kind === undefined || row.kind === kind).length;
  }

  async function userIdOf({ email }: Person): Promise<number> {
    const rows = await site.db.query((sql) =>
      sql.selectFrom('users').select('id').where('email', '=', email),
    );
    return rows[0]?.id ?? Number.NaN;
  }

  /** The number of records that a code or token was used twice. */
  async function reuses(person: Person): Promise<number> {
    const userId = await userIdOf(person);
    const rows = await site.db.query((sql) =>
      sql
        .selectFrom('audit_events')
        .select('reason')
        .where('user_id', '=', userId)
        .where('reason', '=', 'application_token_reused'),
    );
    return rows.length;
  }

  /** Asserts that nothing of what was issued is accepted by either instance. */
  async function assertDead(program: Program, replies: readonly Reply[]): Promise<void> {
    for (const reply of replies.filter(({ status }) => status === 200)) {
      const { access, refresh } = tokensIn(reply);
      for (const at of [site.service, second]) {
        assert.equal((await program.userinfo(access, { at })).status, 401);
        if (refresh !== '') assert.equal(countOf([await program.refresh(refresh, { at })], 'ok'), 0);
      }
    }
  }

  test(`${racers} that redeem one code, one is answered with tokens, which the repetition revokes`, async () => {
    const app = await site.application();
    const program = new Program(site, app);
    const person = await site.person();
    const code = await program.codeOf(person);
    const replies = await race(racers, (at) => program.redeem(code, { at }));
    assert.deepEqual([countOf(replies, 'ok'), countOf(replies, 'invalid_grant')], [1, racers - 1]);
    for (const at of [site.service, second])
      for (const reply of replies.filter(({ status }) => status === 200))
        for (const token of [tokensIn(reply).access, tokensIn(reply).refresh])
          assert.equal(await program.isActive(token, { at }), false);
    await assertDead(program, replies);
    assert.equal(await rowsOf(app), 0);
    assert.equal(await reuses(person), 1);
    const again = await program.tokensOf(person);
    assert.equal(await program.isActive(again.access), true, 'the person can sign in again');
  });

  test(`${racers} that present one refresh token, all that are answered get the same successor`, async () => {
    const app = await site.application();
    const program = new Program(site, app);
    const { refresh } = await program.tokensOf(await site.person());
    const replies = await race(racers, (at) => program.refresh(refresh, { at }));
    const served = Math.min(racers, 21); // the first one, and as many as a used token may still bring
    assert.deepEqual([countOf(replies, 'ok'), countOf(replies, 'invalid_grant')], [served, racers - served]);
    const tokens = replies.filter(({ status }) => status === 200).map(tokensIn);
    assert.equal(new Set(tokens.map((one) => one.refresh)).size, 1);
    assert.equal(new Set(tokens.map((one) => one.access)).size, served);
    assert.equal(await rowsOf(app, 'RefreshToken'), 2, 'the used one and its successor');
    for (const { access } of tokens) assert.equal(await program.isActive(access), true);
    assert.equal(countOf([await program.refresh(tokens[0]?.refresh ?? '')], 'ok'), 1);
  });

  test('20 that present a refresh token without grace, one is answered, and the family ends', async () => {
    const lifetimes = {
      accessTokenSeconds: 600,
      idTokenSeconds: 600,
      refreshIdleDays: 30,
      refreshMaxDays: 180,
      refreshGraceSeconds: 0,
    };
    const app = await site.application({ lifetimes });
    const program = new Program(site, app);
    const person = await site.person();
    const { refresh } = await program.tokensOf(person);
    const replies = await race(20, (at) => program.refresh(refresh, { at }));
    assert.deepEqual([countOf(replies, 'ok'), countOf(replies, 'invalid_grant')], [1, 19]);
    await assertDead(program, replies);
    assert.equal(await rowsOf(app), 0);
    assert.equal(await reuses(person), 1);
  });

  test('10 that use one pushed request, one gets a code', async () => {
    const app = await site.application();
    const program = new Program(site, app);
    const person = await site.person();
    await program.codeOf(person);
    const pushed = await program.post(oidcPaths.pushed, {
      client_id: app.id,
      response_type: 'code',
      redirect_uri: app.redirectUri,
      scope: 'openid',
      code_challenge: 'a'.repeat(43),
      code_challenge_method: 'S256',
    });
    const query = new URLSearchParams({
      client_id: app.id,
      request_uri: String(memberOf(pushed.body, 'request_uri')),
    });
    const replies = await race(10, (at) =>
      send(at.app, {
        method: 'GET',
        path: `${oidcPaths.authorization}?${query.toString()}`,
        headers: {
          cookie: `session_id=${person.sessionToken ?? ''}`,
          accept: at === second ? 'application/json' : 'text/html',
        },
      }),
    );
    const codes = replies.filter(({ headers }) => String(headers['location']).includes('code='));
    assert.equal(codes.length, 1);
    for (const { status, headers, body, text } of replies.filter((one) => !codes.includes(one))) {
      const { location } = headers;
      if (status === 303) assert.match(String(location), /^\/oauth\/error\?/);
      else
        assert.deepEqual(
          [status, location, memberOf(body, 'error')],
          [400, undefined, 'invalid_request_uri'],
          text,
        );
    }
    assert.equal(await rowsOf(app, 'AuthorizationCode'), 2);
  });

  test('10 of a device that was confirmed, one is answered with tokens, which the others do not end', async () => {
    const app = await site.application({
      kind: 'native',
      grantTypes: [deviceGrant, 'refresh_token'],
      redirectUris: [],
      authMethod: 'none',
    });
    const program = new Program(site, app);
    const person = await site.person();
    const device = await program.device();
    assert.equal(countOf([await program.poll(device.deviceCode)], 'authorization_pending'), 1);
    await confirmDevice(person, device);
    const replies = await race(10, (at) => program.poll(device.deviceCode, { at }));
    assert.deepEqual([countOf(replies, 'ok'), countOf(replies, 'invalid_grant')], [1, 9]);
    for (const reply of replies.filter(({ status }) => status === 200))
      assert.equal((await program.userinfo(tokensIn(reply).access)).status, 200);
  });

  const ends: Readonly<
    Record<string, (person: Person, app: Application, at: TestService) => Promise<unknown>>
  > = {
    'a sign-out': ({ sessionToken = '' }, _app, at) =>
      at.core.sessions.end(sessionToken.split('.')[0] ?? '', programSource),
    'the end of all sessions': async (person, _app, at) =>
      at.core.sessions.endAll(await userIdOf(person), programSource),
    'the removal of the user': async (person, _app, at) =>
      at.core.accounts.remove(await userIdOf(person), programSource),
    'the removal of the client': (_person, { id }) => site.db.transaction((tx) => removeClient(tx, id)),
  };
  for (const [name, end] of Object.entries(ends))
    describe(`${name} and`, () => {
      for (const kind of ['code', 'refresh token'] as const)
        test(`a ${kind}: nothing that was issued lives afterwards`, async () => {
          for (let round = 0; round < rounds; round += 1) {
            const app = await site.application();
            const program = new Program(site, app);
            const person = await site.person();
            const code = await program.codeOf(person);
            let tokens: IssuedTokens | undefined;
            if (kind === 'refresh token') tokens = tokensIn(await program.redeem(code));
            const request = (at: TestService): Promise<Reply> =>
              tokens === undefined ? program.redeem(code, { at }) : program.refresh(tokens.refresh, { at });
            const wait = new Promise((resolve) => void setTimeout(resolve, round * 3));
            const [reply] = await Promise.all([
              request(site.service),
              wait.then(() => end(person, app, second)),
            ]);
            assert.ok([200, 400, 401].includes(reply.status), reply.text);
            await assertDead(program, [reply]);
            assert.equal(await rowsOf(app), 0);
          }
        });
    });

  test('two that allow the same request, both are answered, and one consent is stored', async () => {
    const app = await site.application({ isFirstParty: false });
    const person = await site.person();
    const request = await authorizationRequest(app);
    const page = await person.visit(request.url);
    const answers = await Promise.all([person.answer(page, 'allow'), person.answer(page, 'allow')]);
    const codes = answers.filter(({ url }) => url.startsWith(`${app.redirectUri}?code=`));
    assert.ok(codes.length >= 1, answers.map(({ url }) => url).join(' '));
    for (const { url, status } of answers)
      assert.ok(url.startsWith(app.redirectUri) || status === 400, `${status} ${url}`);
    const consents = await listConsents(site.db, await userIdOf(person));
    assert.deepEqual(
      consents.map(({ clientId, scopes }) => [clientId, [...scopes].toSorted()]),
      [[app.id, ['email', 'openid', 'profile']]],
    );
  });

  test('two that ask for consent in two tabs, both end with tokens that live', async () => {
    const app = await site.application({ isFirstParty: false });
    const person = await site.person();
    const requests = [await authorizationRequest(app), await authorizationRequest(app)];
    const pages = await Promise.all(requests.map(({ url }) => person.visit(url)));
    const answers = await Promise.all(pages.map((page) => person.answer(page, 'allow')));
    const tokens = await Promise.all(
      requests.map((request, n) => exchange(app, answers[n]?.url ?? '', request)),
    );
    const program = new Program(site, app);
    for (const { access_token: access } of tokens) assert.equal(await program.isActive(access), true);
  });
}

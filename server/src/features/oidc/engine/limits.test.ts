// Which requests of applications count against the limit of a network: those by which a stranger costs something, and
// not those by which a stranger could exclude an application.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { minuteMs } from '../../../kit/clock.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { sendPlain } from '../../../../test/support/integration.ts';
import { memberOf, send, type Reply } from '../../../../test/support/request.ts';
import { answersPerUser } from '../token/client-limit.ts';
import { countOf, Program, TestKey, tokensIn } from '../test/program.ts';
import { authorizationRequest, deviceGrant, ProviderSite, type Application } from '../test/site.ts';
import { oidcPaths } from './paths.ts';

const limit = 10;

onEachEngine('the limit of a network', (engine) => {
  let site: ProviderSite;
  let app: Application;
  let program: Program;
  let networks = 0;
  before(async () => {
    site = await ProviderSite.open(engine, { ADDRESS_LIMIT_PER_MINUTE: String(limit) });
    app = await site.application({
      grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
    });
    program = new Program(site, app);
  });
  after(() => site.close());

  /** Declares a test in which no limit refills, however long it takes. */
  const inOneInstant = (title: string, work: () => Promise<void>): void =>
    void test(title, () => site.inOneInstant(work));

  /** An address from which nothing was sent. */
  const network = (): string => `203.0.113.${(networks += 1)}`;
  const several = async (request: () => Promise<Reply>): Promise<Reply[]> => {
    const replies: Reply[] = [];
    for (let n = 0; n < limit + 3; n += 1) replies.push(await request());
    return replies;
  };
  const refused = (replies: readonly Reply[]): number =>
    replies.filter(({ status }) => status === 429).length;
  const television = async (): Promise<Program> =>
    new Program(
      site,
      await site.application({
        kind: 'native',
        authMethod: 'none',
        grantTypes: ['authorization_code', deviceGrant],
        redirectUris: ['http://127.0.0.1/callback'],
      }),
    );

  inOneInstant('does not count wrong codes and tokens that users send to an application', async () => {
    const from = network();
    const wrong = { code: 'bvo_x', verifier: 'x'.repeat(43), redirectUri: app.redirectUri };
    const key = await TestKey.create();
    const signing = new Program(
      site,
      await site.application({ authMethod: 'private_key_jwt', jwks: { keys: [key.jwk] } }),
    );
    const signed = async (): Promise<Reply> =>
      signing.post(
        oidcPaths.token,
        {
          grant_type: 'refresh_token',
          refresh_token: 'bvr_x',
          client_assertion: await key.assertion(signing.application.id, { aud: site.origin }),
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        },
        { from, isAuthenticated: false },
      );
    const replies = [
      ...(await several(() => program.redeem(wrong, { from }))),
      ...(await several(() => program.refresh('bvr_x', { from }))),
      ...(await several(signed)),
    ];
    assert.equal(countOf(replies, 'invalid_grant'), replies.length);
    const shown = await several(() => program.userinfo('bva_x', { from }));
    assert.equal(refused(shown), 3);
    assert.equal(await program.isActive('bva_x', { from }), false);
  });

  inOneInstant('counts requests that no client authenticates', async () => {
    for (const accept of ['application/json', 'text/html'])
      for (const path of [oidcPaths.token, oidcPaths.introspection, oidcPaths.revocation]) {
        const headers = { authorization: 'Basic eDp4', accept };
        const from = network();
        const replies = await several(() =>
          program.post(
            path,
            { grant_type: 'client_credentials', token: 'x' },
            { headers, isAuthenticated: false, from },
          ),
        );
        assert.equal(refused(replies), 3, `${path} ${accept}`);
      }
  });

  inOneInstant('counts what a stranger opens with the id of a public client', async () => {
    const device = await television();
    const request = {
      response_type: 'code',
      redirect_uri: 'http://127.0.0.1/callback',
      scope: 'openid',
      code_challenge: 'a'.repeat(43),
      code_challenge_method: 'S256',
    };
    for (const path of [oidcPaths.pushed, oidcPaths.deviceAuthorization]) {
      const from = network();
      const replies = await several(() => device.post(path, request, { from }));
      assert.equal(replies[0]?.status, path === oidcPaths.pushed ? 201 : 200, replies[0]?.text);
      assert.equal(refused(replies), 3, path);
    }
    const from = network();
    const own = await several(() =>
      program.post(oidcPaths.pushed, { ...request, redirect_uri: app.redirectUri }, { from }),
    );
    assert.equal(refused(own), 0);
  });

  inOneInstant('does not count devices that wait', async () => {
    const from = network();
    const device = await television();
    const first: Reply[] = [];
    const codes: string[] = [];
    for (let n = 0; n < limit + 3; n += 1) {
      const { deviceCode } = await device.device('openid');
      codes.push(deviceCode);
      first.push(await device.poll(deviceCode, { from }));
    }
    assert.equal(countOf(first, 'authorization_pending'), first.length);
    const again: Reply[] = [];
    for (const code of codes) again.push(await device.poll(code, { from }));
    assert.equal(countOf(again, 'slow_down'), again.length);
  });

  inOneInstant(
    'counts authorization requests of strangers that wait for a person, and those of an account as its reads',
    async () => {
      const { url } = await authorizationRequest(app);
      const begin = async (
        from: string,
        headers: Readonly<Record<string, string>> = {},
        more = '',
      ): Promise<Reply> =>
        send(site.service.app, {
          method: 'GET',
          path: `${url.slice(site.origin.length)}${more}`,
          headers: { accept: 'text/html', ...headers },
          from,
        });
      const waiting = async (): Promise<number> =>
        (await site.db.query((sql) => sql.selectFrom('oidc_interactions' as never).select('id' as never)))
          .length;
      const [from, stored] = [network(), await waiting()];
      // Applications ask so in frames of their pages. Nothing is stored for it.
      const asked = await several(() => begin(from, {}, '&prompt=none'));
      assert.equal(refused(asked), 0);
      for (const { headers } of asked) assert.match(String(headers['location']), /error=login_required/);
      assert.equal(await waiting(), stored);
      const replies = await several(() => begin(from));
      assert.equal(refused(replies), 3);
      assert.equal(await waiting(), stored + limit);
      const last = replies.at(-1);
      assert.match(String(last?.headers['content-type']), /^text\/html/);
      assert.match(last?.text ?? '', /<html lang="en"/);
      assert.ok(Number(last?.headers['retry-after']) > 0);
      // What names a pushed request may be any request.
      assert.equal((await begin(from, {}, '&prompt=none&request_uri=urn%3Ax')).status, 429);
      const person = await site.person();
      const cookie = `session_id=${person.sessionToken ?? ''}`;
      const own = await several(() => begin(from, { cookie }, '&prompt=none'));
      for (const { headers } of own) assert.match(String(headers['location']), /code=/);
      const form = await several(() =>
        send(site.service.app, {
          method: 'POST',
          path: oidcPaths.authorization,
          fields: {},
          from: network(),
        }),
      );
      assert.equal(refused(form), 0);
    },
  );

  inOneInstant('keeps no program from the keys, and is an error of OAuth that scripts can read', async () => {
    const from = network();
    const origin = 'https://app.example';
    const wrong = { headers: { authorization: 'Basic eDp4', origin }, isAuthenticated: false, from };
    const programPaths = [
      oidcPaths.token,
      oidcPaths.introspection,
      oidcPaths.revocation,
      oidcPaths.pushed,
      oidcPaths.deviceAuthorization,
    ];
    await several(() => program.post(oidcPaths.token, { grant_type: 'client_credentials' }, wrong));
    for (const path of [oidcPaths.jwks, oidcPaths.openidConfiguration, oidcPaths.oauthConfiguration])
      for (const method of ['GET', 'HEAD'] as const) {
        const { status, headers } = await send(site.service.app, { method, path, from });
        assert.deepEqual(
          [status, headers['cache-control']],
          [200, 'public, max-age=3600'],
          `${method} ${path}`,
        );
      }
    await several(() => program.userinfo('bva_x', { from }));
    const refusals = [
      ...(await Promise.all(programPaths.map((path) => program.post(path, { token: 'x' }, wrong)))),
      await program.userinfo('bva_x', { from, headers: { origin } }),
    ];
    for (const { status, body, headers } of refusals) {
      assert.deepEqual([status, memberOf(body, 'error')], [429, 'temporarily_unavailable']);
      assert.ok(Number(headers['retry-after']) > 0);
      assert.match(String(headers['content-type']), /^application\/json/);
      assert.equal(headers['cache-control'], 'no-store');
      assert.equal(headers['access-control-allow-origin'], origin);
      assert.match(String(headers['access-control-expose-headers']), /Retry-After/);
      assert.match(String(headers['vary']), /Origin/);
      assert.equal(headers['access-control-allow-credentials'], undefined);
    }
    const asked = { origin, 'access-control-request-method': 'POST' };
    for (const path of programPaths) {
      const { status } = await send(site.service.app, { method: 'OPTIONS', path, headers: asked, from });
      assert.equal(status, 204, path);
    }
    const long = await program.post(oidcPaths.token, { client_assertion: 'x'.repeat(17 * 1024) });
    assert.deepEqual([long.status, memberOf(long.body, 'error')], [413, 'invalid_request']);
  });

  inOneInstant('of an account is that of its reads', async () => {
    const reading = await site.another({ ACCOUNT_READS_PER_MINUTE: '20' });
    site.service.clock.advance(minuteMs);
    try {
      const person = await site.person();
      const { url } = await authorizationRequest(app, { prompt: 'none' });
      const replies = await several(() =>
        send(reading.app, {
          method: 'GET',
          path: url.slice(site.origin.length),
          headers: { accept: 'text/html', cookie: `session_id=${person.sessionToken ?? ''}` },
          from: network(),
        }),
      );
      assert.equal(refused(replies), 3); // one session has half of it
    } finally {
      await reading.close();
    }
  });
});

test('authorization requests of strangers store no more than the guide states', async () => {
  const page = readFileSync(new URL('../../../../../docs/reference/limits.md', import.meta.url), 'utf8');
  const [, ofAddress = 0, ofSite = 0, ofAll = 0] =
    /^\| requests of applications .*?\|(.+)\|(.+)\|(.+)\|$/m
      .exec(page)
      ?.map((cell) => Number(cell.replaceAll(',', ''))) ?? [];
  const site = await ProviderSite.open('sqlite');
  try {
    const { url } = await authorizationRequest(await site.application());
    const begin = async (characters: number): Promise<number> => {
      const more = `&ui_locales=${'x'.repeat(characters)}`;
      return (await sendPlain({ method: 'GET', path: url + more, headers: { accept: 'text/html' } })).status;
    };
    // The longest request: the headers have 16 KiB at most.
    let characters = 16 * 1024;
    while ((await begin(characters)) !== 303) characters -= 256;
    const rows = (await site.db.query((sql) =>
      sql.selectFrom('oidc_interactions' as never).selectAll(),
    )) as unknown as readonly { sealed: string }[];
    const bytes = Math.max(...rows.map(({ sealed }) => sealed.length)) + 1024; // with the page of a row that is half full
    const hour = (perMinute: number): number => (60 * perMinute * bytes) / 1e6;
    for (const [units, stated] of [
      [60, ofAddress],
      [240, ofSite],
      [6000, ofAll],
    ] as const)
      assert.ok(hour(units) <= stated, `${hour(units)} MB of ${units} a minute, not ${stated}`);
  } finally {
    await site.close();
  }
});

test('a public client gets tokens for a user sixty times together, and nothing is used up above it', async () => {
  const perNetwork = 40;
  const site = await ProviderSite.open('sqlite', { ADDRESS_LIMIT_PER_MINUTE: String(perNetwork) });
  try {
    const open = new Program(site, await site.application({ authMethod: 'none' }));
    const closed = new Program(site, await site.application());
    const [person, other] = [await site.person(), await site.person()];
    let { refresh } = await open.tokensOf(person);
    let answers = 1;
    let refused = await open.refresh(refresh);
    for (; refused.status === 200 && answers < 10 * answersPerUser; answers += 1) {
      ({ refresh } = tokensIn(refused));
      refused = await open.refresh(refresh);
    }
    assert.equal(refused.status, 429);
    assert.ok(answers >= answersPerUser, `${answers} answers`);
    assert.equal(memberOf(refused.body, 'error'), 'temporarily_unavailable');
    assert.ok(Number(refused.headers['retry-after']) >= 1);
    const from = '203.0.113.250';
    for (let n = 0; n < 2 * perNetwork; n += 1)
      assert.notEqual((await open.refresh(refresh, { from })).status, 400);
    for (const [program, user] of [
      [open, other],
      [closed, person],
    ] as const)
      tokensIn(await program.redeem(await program.codeOf(user), { from }));
    await pause(1100); // the clock of limits is that of the machine
    tokensIn(await open.refresh(refresh));
  } finally {
    await site.close();
  }
});

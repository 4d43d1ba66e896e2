// The process is killed at every step of its database while it redeems a code or a refresh token. Afterwards nothing is
// half done, and a client that repeats its request at another instance gets a consistent answer. `kills.system.ts` takes
// some of the steps, `kills.long.ts` all.
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { onEachEngine, type EngineName } from '../../../../test/support/engines.ts';
import { runtimeEnvironment } from '../../../../test/support/runtime.ts';
import type { ContractRequest, Reply } from '../../../../test/support/request.ts';
import { oidcPaths } from '../engine/paths.ts';
import type { DeadlyRequest } from './deadly-instance.ts';
import { assertRefused, basic, Program, tokensIn } from './program.ts';
import { ProviderSite, type Person } from './site.ts';

/** More steps than a request has. */
const maxSteps = 80;

/** The steps at which a process is killed: the first of them, and each `by`-th after it. */
export interface Kills {
  readonly first: number;
  readonly by: number;
}

/** Declares the tests. Both engines have the same steps, so each of them may take other ones. */
export function declareKills(of: Readonly<Record<EngineName, Kills>>): void {
  onEachEngine('a kill at every step', (engine) => declareOn(engine, of[engine]));
}

function declareOn(engine: EngineName, { first, by }: Kills): void {
  let site: ProviderSite;
  let person: Person;
  const started: ChildProcess[] = [];
  before(async () => {
    site = await ProviderSite.open(engine);
    person = await site.person();
  });
  after(async () => {
    for (const child of started) child.kill('SIGKILL');
    await site.close();
  });

  /** Starts an instance, which waits for a request. */
  async function start(): Promise<ChildProcess> {
    const child = fork(join(import.meta.dirname, 'deadly-instance.ts'), {
      env: { ...runtimeEnvironment(), DEADLY_URL: site.service.url, DEADLY_PORT: new URL(site.origin).port },
    });
    started.push(child);
    await once(child, 'message');
    return child;
  }

  /** Sends a request to an instance that dies at the step; `undefined` if it died before it answered. */
  async function ask(child: ChildProcess, message: DeadlyRequest): Promise<Reply | undefined> {
    const reply = once(child, 'message').then(([given]) => given as Reply); // it sends replies only
    const death = once(child, 'exit').then(() => undefined);
    child.send(message);
    return Promise.race([reply, death]);
  }

  async function rows(program: Program): Promise<Readonly<Record<string, number>>> {
    const found = await site.db.query((sql) =>
      sql
        .selectFrom('oidc_tokens' as never)
        .select(['kind', 'consumed_at'] as never)
        .where('client_id' as never, '=', program.application.id as never),
    );
    const counts: Record<string, number> = {};
    for (const { kind, consumed_at: consumedAt } of found as { kind: string; consumed_at: number | null }[]) {
      const name = consumedAt === null ? kind : `used ${kind}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }

  /** Kills an instance at each step of a request until one is answered. */
  async function killAtEach(
    t: TestContext,
    prepare: (program: Program) => Promise<ContractRequest>,
    check: (program: Program, request: ContractRequest) => Promise<void>,
  ): Promise<void> {
    let next = start();
    for (let dieAt = first; dieAt < maxSteps; dieAt += by) {
      const program = new Program(site, await site.application());
      const request = await prepare(program);
      const child = await next;
      const reply = await ask(child, { request, dieAt });
      if (reply !== undefined) {
        child.kill('SIGKILL');
        tokensIn(reply);
        t.diagnostic(`it has less than ${dieAt} steps`);
        assert.ok(dieAt > 8, 'the steps were counted');
        return;
      }
      next = start();
      await check(program, request);
    }
    assert.fail('the request has no end');
  }

  function tokenRequest({ application }: Program, fields: ContractRequest['fields']): ContractRequest {
    const headers = { authorization: basic(application.id, application.secret) };
    return { method: 'POST', path: oidcPaths.token, headers, ...(fields !== undefined && { fields }) };
  }

  test('of the redemption of a code leaves the code, or the code with its tokens', async (t) => {
    await killAtEach(
      t,
      async (program) => {
        const { code, verifier, redirectUri } = await program.codeOf(person);
        return tokenRequest(program, {
          grant_type: 'authorization_code',
          code,
          code_verifier: verifier,
          redirect_uri: redirectUri,
        });
      },
      async (program, { fields }) => {
        const left = await rows(program);
        const again = await program.post(oidcPaths.token, fields ?? {});
        if (left['AuthorizationCode'] === 1) {
          assert.deepEqual(left, { AuthorizationCode: 1 });
          const { access, refresh } = tokensIn(again);
          assert.equal(await program.isActive(access), true);
          tokensIn(await program.refresh(refresh));
        } else {
          // Its reply was lost. A code that is presented again ends what was issued with it (RFC 6749 §4.1.2).
          assert.deepEqual(left, { 'used AuthorizationCode': 1, AccessToken: 1, RefreshToken: 1 });
          assertRefused(again, 'invalid_grant');
          assert.deepEqual(await rows(program), {});
        }
      },
    );
  });

  test('of a refresh leaves one successor at most, which the client gets when it repeats the request', async (t) => {
    await killAtEach(
      t,
      async (program) => {
        const { refresh } = await program.tokensOf(person);
        return tokenRequest(program, { grant_type: 'refresh_token', refresh_token: refresh });
      },
      async (program, { fields }) => {
        const left = await rows(program);
        const untouched = { 'used AuthorizationCode': 1, AccessToken: 1, RefreshToken: 1 };
        const committed = { ...untouched, AccessToken: 2, 'used RefreshToken': 1 };
        assert.deepEqual(left, left['used RefreshToken'] === 1 ? committed : untouched);
        const given = tokensIn(await program.post(oidcPaths.token, fields ?? {}));
        const again = tokensIn(await program.post(oidcPaths.token, fields ?? {}));
        assert.equal(given.refresh, again.refresh);
        const { RefreshToken, 'used RefreshToken': used } = await rows(program);
        assert.deepEqual([RefreshToken, used], [1, 1]);
        assert.equal(await program.isActive(tokensIn(await program.refresh(given.refresh)).access), true);
      },
    );
  });
}

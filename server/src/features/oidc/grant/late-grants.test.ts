// Access that ends while a request of the same person is answered: nothing that the request issues outlives it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { StepDatabase, type Countdown } from '../../../../test/faults/step-database.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { oidcPaths } from '../engine/paths.ts';
import { Program } from '../test/program.ts';
import { authorizationRequest, deviceGrant, ProviderSite, type Person } from '../test/site.ts';

const offline = 'openid email offline_access';

interface Stage {
  readonly person: Person;
  readonly program: Program;
}

onEachEngine('what is issued while access ends', (engine) => {
  let site: ProviderSite;
  let act: () => Promise<unknown>;
  const countdown: Countdown = { steps: 0, passesTransactions: true, act: async () => void (await act()) };
  before(async () => {
    site = await ProviderSite.open(
      engine,
      {},
      { watchDatabase: (database) => new StepDatabase(database, countdown) },
    );
  });
  after(() => site.close());

  async function stageOf(): Promise<Stage> {
    const grantTypes = ['authorization_code', 'refresh_token', deviceGrant] as const;
    const program = new Program(site, await site.application({ grantTypes, isFirstParty: false }));
    const person = await site.person();
    await program.tokensOf(person);
    return { person, program };
  }

  /** Ends of all access of a program, by name. */
  const endings: Readonly<Record<string, (stage: Stage) => Promise<unknown>>> = {
    'a reset of the password': async ({ person }) => {
      const { auth } = site.service.core;
      await auth.updatePassword(await auth.getResetPasswordToken(person.email), 'seven herons on a bicycle');
    },
    'taking the consent away': ({ person, program }) =>
      person.send('DELETE', `/profile/applications/${program.application.id}`),
  };

  /** Prepares a request, and returns what sends it. */
  const requests: Readonly<Record<string, (stage: Stage) => Promise<() => Promise<unknown>>>> = {
    'a sign-in with a new scope': async ({ person, program }) => {
      const more = { scope: offline, prompt: 'consent' };
      const page = await person.visit((await authorizationRequest(program.application, more)).url);
      return () => person.answer(page, 'allow');
    },
    'a sign-in that was allowed before': async ({ person, program }) => {
      await program.codeOf(person, { scope: offline, prompt: 'consent' });
      const { url } = await authorizationRequest(program.application, { scope: offline });
      return () => person.visit(url);
    },
    'a sign-in in a later session': async ({ person, program }) => {
      await program.codeOf(person, { scope: offline, prompt: 'consent' });
      await person.send('DELETE', '/sessions');
      await person.signIn();
      await site.db.query((sql) => sql.deleteFrom('oidc_grants' as never));
      const { url } = await authorizationRequest(program.application, { scope: 'openid email' });
      return () => person.visit(url);
    },
    'the answer to a device': async ({ person, program }) => {
      const { userCode } = await program.device(offline);
      const page = await person.submit(await person.visit(oidcPaths.device), { user_code: userCode });
      return () => person.answer(page, 'allow');
    },
    'the exchange of a code': async ({ person, program }) => {
      const code = await program.codeOf(person, { scope: offline, prompt: 'consent' });
      return () => program.redeem(code);
    },
  };

  const taken = 'taking the consent away';
  for (const [kind, prepare] of Object.entries(requests))
    for (const [name, end] of Object.entries(endings)) {
      // Who allows it after that has allowed it again.
      if (name === taken && /new scope|device/.test(kind)) continue;
      test(`by ${name}: ${kind}`, async () => {
        let isOver = false;
        for (let n = 1; !isOver; n += 1) {
          const stage = await stageOf();
          const send = await prepare(stage);
          act = () => end(stage);
          countdown.steps = n;
          await send();
          isOver = countdown.steps > 0;
          countdown.steps = 0;
          assert.ok(!isOver || n > 2, 'it runs some statements');
          const { id } = stage.program.application;
          const left = (await rowsIn(site.db, 'oidc_grants')).filter((row) => row['client_id'] === id);
          if (!isOver) assert.deepEqual(left, [], `step ${n}`);
        }
      });
    }
});

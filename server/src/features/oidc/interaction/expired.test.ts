// A request that ends while its page is opened or answered: another tab has answered it, or its time is over.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { StepDatabase, type Countdown } from '../../../../test/faults/step-database.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import {
  authorizationRequest,
  ProviderSite,
  type Application,
  type Arrival,
  type Person,
} from '../test/site.ts';

onEachEngine('a request that ends at any step of', (engine) => {
  let site: ProviderSite;
  let app: Application;
  let person: Person;
  const countdown: Countdown = {
    steps: 0,
    passesTransactions: true,
    act: async () => void (await site.db.query((sql) => sql.deleteFrom('oidc_interactions' as never))),
  };
  before(async () => {
    site = await ProviderSite.open(
      engine,
      {},
      { watchDatabase: (database) => new StepDatabase(database, countdown) },
    );
    app = await site.application({ isFirstParty: false });
    person = await site.person();
  });
  after(() => site.close());

  const answers = [
    ['consent', 'allow'],
    ['consent', 'deny'],
    ['consent', 'switch'],
    ['select_account', 'continue'],
    ['create', 'continue'],
  ] as const;
  /** What each way asks for, and what the person does at its page. */
  const ways: Readonly<Record<string, readonly [prompt: string, act: (page: Arrival) => Promise<Arrival>]>> =
    {
      ...Object.fromEntries(
        answers.map(([prompt, answer]) => [
          `the answer "${answer}" to ${prompt}`,
          [prompt, (page: Arrival) => person.answer(page, answer)],
        ]),
      ),
      'its page': ['consent', ({ url }) => person.visit(url)],
      'its page after a sign-in': [
        'select_account',
        async ({ url }) => {
          const { steps } = countdown;
          countdown.steps = 0;
          await person.signIn();
          countdown.steps = steps;
          return person.visit(url);
        },
      ],
    };

  for (const [name, [prompt, act]] of Object.entries(ways))
    test(`${name} is over for the user too, and is no fault of the service`, async () => {
      let n = 0;
      for (let isOver = false; !isOver;) {
        n += 1;
        if (person.sessionToken === undefined) await person.signIn();
        const { url } = await authorizationRequest(app, { prompt });
        const page = await person.visit(url);
        countdown.steps = n;
        const { status, url: arrived, text } = await act(page);
        isOver = countdown.steps > 0;
        countdown.steps = 0;
        assert.ok(status < 500, `step ${n}: ${status} ${arrived} ${text}`);
      }
      assert.ok(n > 4, 'it takes several steps');
    });
});

// A model of the password reset, run with steps in random order: the password changes only when a live token of its
// owner is consumed in the same step, or when the operator sets one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc, { type AsyncCommand } from 'fast-check';
import { hourMs, minuteMs, secondMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { resetKind } from '../../src/identity/password/reset.ts';
import { onEachEngine } from '../support/engines.ts';
import { tokenIn } from '../support/mail-box.ts';
import { PublicService, type Member } from '../support/public-service.ts';

/** The expected state. */
interface Model {
  /** Tokens that were mailed to the victim and not revoked, the newest last. */
  tokens: MailedToken[];
  /** When the victim's address was last named in a request: a mail may wait for its pause. */
  askedAt: number;
  isDisabled: boolean;
}

/** A token in a mail. Its life of an hour begins between the two instants. */
interface MailedToken {
  readonly token: string;
  readonly askedAt: number;
  readonly deliveredAt: number;
  /** Whether it may have expired once: the service removes an expired token for good, even if the clock is set back. */
  mayBeGone: boolean;
}

/** The real service. */
interface Real {
  readonly service: PublicService;
  readonly victim: Member;
  readonly eve: Member;
  /** A live reset token of Eve's. */
  readonly evesToken: string;
}

type Step = AsyncCommand<Model, Real>;

/** The stored password hash, and how many of the victim's tokens were consumed. */
async function proofOf({
  service,
  victim,
}: Real): Promise<{ hash: string | null | undefined; consumed: number }> {
  const { database } = service.service.core;
  const [user] = await database.query((sql) =>
    sql.selectFrom('users').select('hashed_password').where('id', '=', victim.id),
  );
  const consumed = await database.query((sql) =>
    sql
      .selectFrom('one_time_tokens')
      .select('id')
      .where('user_id', '=', victim.id)
      .where('kind', '=', 'reset')
      .where('spent_at', 'is not', null),
  );
  return { hash: user?.hashed_password, consumed: consumed.length };
}

const now = ({ service }: Real): number => service.service.clock.now();

/** A step that must leave the password unchanged, unless it reports that it changed it. */
function step(
  name: string,
  run: (model: Model, real: Real) => Promise<'unchanged' | 'token consumed' | 'operator'>,
): Step {
  return {
    check: () => true,
    run: async (model, real) => {
      for (const mailed of model.tokens) mailed.mayBeGone ||= now(real) - mailed.askedAt >= hourMs;
      const earlier = await proofOf(real);
      const outcome = await run(model, real);
      const later = await proofOf(real);
      assert.equal(later.hash !== earlier.hash, outcome !== 'unchanged', `${name}: ${outcome}`);
      if (outcome === 'token consumed')
        assert.deepEqual([earlier.consumed, later.consumed], [0, 1], `${name} consumed no token`);
    },
    toString: () => name,
  };
}

/** Delivers the mails that are due and notes the tokens in them. */
async function collect(model: Model, real: Real): Promise<void> {
  const { service, victim } = real;
  const known = service.mails.length;
  await service.deliver();
  const sent = service.mails.slice(known).filter(({ to }) => to === victim.email);
  const tokens = sent.flatMap(({ text }) => tokenIn(text) ?? []).filter((token) => token.includes('rst_'));
  assert.ok(tokens.length === 0 || !model.isDisabled, 'a disabled user gets no token');
  const { askedAt } = model;
  for (const token of tokens) model.tokens.push({ token, askedAt, deliveredAt: now(real), mayBeGone: false });
}

const request = step('ask for a reset', async (model, real) => {
  const { service, victim } = real;
  await collect(model, real);
  assert.equal((await service.post('/reset_password', { email: victim.email })).status, 200);
  model.askedAt = now(real);
  await collect(model, real);
  return 'unchanged';
});

/** What is presented as a token. */
const presented = ['newest', 'older', 'of Eve', 'guessed', 'session', 'device', 'none', 'handle'] as const;

const redeem = (what: (typeof presented)[number], whose: 'victim' | 'eve', password: string): Step =>
  step(`present the ${what} token for ${whose} on "${password.slice(0, 12)}"`, async (model, real) => {
    const { service, victim, eve, evesToken } = real;
    const newest = model.tokens.at(-1);
    const older = model.tokens.at(-2);
    const tokens: Record<(typeof presented)[number], string> = {
      newest: newest?.token ?? 'x',
      older: older?.token ?? 'x',
      'of Eve': evesToken,
      guessed: createToken(resetKind).token,
      session: victim.sessionId,
      device: victim.deviceToken,
      none: '',
      handle: newest?.token.slice(0, 36) ?? 'x',
    };
    // Up to three tokens are live side by side.
    const mailed = whose === 'victim' ? { newest, older }[what === 'older' ? 'older' : 'newest'] : undefined;
    const isTheirs = mailed !== undefined && ['newest', 'older'].includes(what) && password.length >= 15;
    const isLive = isTheirs && !mailed.mayBeGone;
    const isOver = !isTheirs || now(real) - mailed.deliveredAt >= hourMs;
    if (what === 'of Eve' && whose === 'eve') return 'unchanged'; // this changes her own account only
    const { status } = await service.reset((whose === 'victim' ? victim : eve).email, tokens[what], password);
    if (isLive) assert.equal(status, 200);
    if (isOver) assert.notEqual(status, 200);
    if (status !== 200) return 'unchanged';
    model.tokens = [];
    return 'token consumed';
  });

const others: readonly Step[] = [
  step('log in', async (_, { service, victim }) => {
    await service.logIn(victim.email, victim.password);
    return 'unchanged';
  }),
  step('fail to log in', async (_, { service, victim }) => {
    await service.logIn(victim.email, 'eight herons on a yellow bicycle');
    return 'unchanged';
  }),
  step('register the address again', async (_, { service, victim }) => {
    await service.post('/users', { email: victim.email, password: 'eight herons on a yellow bicycle' });
    return 'unchanged';
  }),
  step('ask for a confirmation', async (_, { service, victim }) => {
    await service.post('/email_verification', { email: victim.email });
    return 'unchanged';
  }),
  step('confirm with a reset token', async (model, { service, victim }) => {
    const reply = await service.put('/email_verification', {
      email: victim.email,
      token: model.tokens.at(-1)?.token ?? 'x',
    });
    assert.equal(reply.status, 403);
    return 'unchanged';
  }),
  step('open the link as a scanner does', async (model, { service, victim }) => {
    const query = String(
      new URLSearchParams({
        email: victim.email,
        reset_token: model.tokens.at(-1)?.token ?? 'x',
        new_password: 'x'.repeat(15),
      }),
    );
    await service.send({ method: 'GET', path: `/reset_password?${query}` });
    return 'unchanged';
  }),
  step('purge', async (_, { service }) => {
    await service.service.core.auth.purge();
    return 'unchanged';
  }),
  step('let two minutes pass', async (_, { service }) => {
    service.service.clock.advance(2 * minuteMs);
    return 'unchanged';
  }),
  step('let an hour pass', async (_, { service }) => {
    service.service.clock.advance(hourMs);
    return 'unchanged';
  }),
  step('set the clock back by a second', async (_, { service }) => {
    service.service.clock.advance(-secondMs);
    return 'unchanged';
  }),
  step('disable', async (model, { service, victim }) => {
    await service.service.core.auth.setDisabled(victim.id, true);
    model.isDisabled = true;
    model.tokens = [];
    return 'unchanged';
  }),
  step('enable', async (model, { service, victim }) => {
    await service.service.core.auth.setDisabled(victim.id, false);
    model.isDisabled = false;
    return 'unchanged';
  }),
  step('set a password as the operator', async (model, { service, victim }) => {
    if (model.isDisabled) return 'unchanged';
    await service.service.core.auth.setPassword(victim.email, 'ten toads behind a blue door');
    model.tokens = [];
    return 'operator';
  }),
];

const anyStep = fc.oneof(
  { weight: 3, arbitrary: fc.constant(request) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        fc.oneof({ weight: 3, arbitrary: fc.constant('newest' as const) }, fc.constantFrom(...presented)),
        fc.oneof({ weight: 4, arbitrary: fc.constant('victim' as const) }, fc.constant('eve' as const)),
        fc.constantFrom('nine newts under a green umbrella', 'nine newts under a green umbrella', 'short'),
      )
      .map(([what, whose, password]) => redeem(what, whose, password)),
  },
  { weight: 6, arbitrary: fc.constantFrom(...others) },
);

onEachEngine('the way to a new password', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  test('A53 skipping the proof: in any order of steps, only consuming a token changes the password', async () => {
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 25 }), async (steps) => {
        const victim = await service.member();
        const eve = await service.member();
        const evesToken = await service.resetToken(eve.email);
        const model: Model = {
          tokens: [],
          askedAt: 0,
          isDisabled: false,
        };
        const real: Real = { service, victim, eve, evesToken };
        const first = await proofOf(real);
        for (const one of steps) await one.run(model, real);
        if ((await proofOf(real)).hash !== first.hash) changes += 1;
      }),
      { numRuns: 15 },
    );
    assert.ok(changes > 0, 'the password changed');
  });
});

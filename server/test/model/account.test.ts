// Accounts, sessions and resets in random order, over a real socket: the service always answers as the model says.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { onEachEngine } from '../support/engines.ts';
import { testService, type TestService } from '../support/service.ts';
import { anySteps, emptyModel, sessionsPerUser } from './account.ts';

/** Walks of the suite; for many more: MODEL_WALKS=1000. */
const walks = Number(process.env['MODEL_WALKS'] ?? 20);
/** The walks are repeated if chance has left an outcome out, at most this many times. */
const maxRounds = 5;

/** Outcomes that must occur at least once for the walks to be meaningful. */
const outcomes = [
  'register: created',
  'register: taken',
  'log in: logged in',
  'log in: refused',
  'log in: must wait',
  'profile: shown',
  'profile: refused',
  'profile: idle for too long',
  'log out: ended',
  'log out: refused',
  'ask for a reset: issued',
  'ask for a reset: refused',
  'reset: done',
  'reset: refused',
  'disable: done',
  'enable: done',
  'remove: done',
];

onEachEngine('accounts, sessions and resets in random order', (engine) => {
  let service: TestService;
  let origin: string;
  before(async () => {
    service = await testService(engine, { SESSIONS_PER_USER: String(sessionsPerUser) });
    origin = await service.app.listen({ host: '127.0.0.1', port: 0 });
  });
  after(() => service.close());

  test('the service answers as the model says', async () => {
    const met = new Map<string, number>();
    const missing = (): string[] => outcomes.filter((outcome) => !met.has(outcome));
    let walk = 0;
    for (let round = 0; round < maxRounds && missing().length > 0; round += 1)
      await fc.assert(
        fc.asyncProperty(fc.commands([anySteps], { maxCommands: 60, size: 'max' }), async (steps) => {
          walk += 1;
          const { clock, core } = service;
          const model = emptyModel(clock.now(), met);
          await fc.asyncModelRun(
            () => ({ model, real: { origin, clock, core, suffix: `${walk}.${engine}` } }),
            steps,
          );
        }),
        { numRuns: walks },
      );
    assert.deepEqual(missing(), [], 'it did not occur');
  });
});

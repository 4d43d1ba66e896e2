// Tests contributions of modules after the rules were built: they are revoked, purged, exported and checked like those
// of the rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachEngine } from '../../test/support/engines.ts';
import { useAuth } from '../../test/support/auth.ts';
import { fieldProblem, isProblem } from '../kit/problem.ts';
import type { AccessKind } from './contribution.ts';

const email = 'bob@example.org';
const password = 'b4l0u';

onEachEngine('contributions of a module', (engine) => {
  const makeAuth = useAuth(engine);

  test('revoke its access with a new password and a disabled account, and by kind', async () => {
    const { auth, database } = makeAuth();
    const { id } = await auth.registerUser(email, password);
    const { access, plugged } = auth.identity;
    const revoked: string[] = [];
    const kinds: readonly AccessKind[] = ['sign_in', 'device', 'token', 'grant'];
    for (const kind of kinds)
      plugged.revokes.push({
        kind,
        revokeAll: async (_tx, userId, { except }) => void revoked.push(`${kind} ${userId === id} ${except}`),
      });
    const revokedBy = async (work: () => Promise<unknown>): Promise<string[]> => {
      revoked.length = 0;
      await work();
      return [...revoked];
    };
    const all = kinds.map((kind) => `${kind} true undefined`);
    assert.deepEqual(await revokedBy(() => auth.setPassword(email, 'another')), all);
    assert.deepEqual(await revokedBy(() => auth.setDisabled(id, true)), all);
    const some = { kinds: ['grant', 'token'], except: 'kept' } as const;
    assert.deepEqual(await revokedBy(() => database.transaction((tx) => access.revoke(tx, id, some))), [
      'token true kept',
      'grant true kept',
    ]);
  });

  test('purge its expired rows in batches', async () => {
    const { auth } = makeAuth();
    const limits: number[] = [];
    let left = 1200;
    const purge = async (limit: number): Promise<number> => {
      limits.push(limit);
      const removed = Math.min(limit, left);
      left -= removed;
      return removed;
    };
    auth.identity.plugged.purges.push({ name: 'api keys', purge });
    assert.equal(await auth.purge(), 1200);
    assert.deepEqual(limits, [500, 500, 500]);
  });

  test('reject passwords and addresses, in the order of the checks', async () => {
    const { auth } = makeAuth();
    const { plugged } = auth.identity;
    const asked: string[] = [];
    const reasonAgainst = async (text: string): Promise<string | undefined> => {
      asked.push(text);
      return text === 'breached' ? 'was found in a data breach' : undefined;
    };
    plugged.passwordChecks.push({ finds: 'breached', reasonAgainst });
    plugged.addressChecks.push(async ({ key }) => {
      asked.push(key);
      if (key.endsWith('.test')) throw fieldProblem('email', 'is not allowed', 'no_email');
    });
    const rejected = (field: string) => (error: unknown) =>
      isProblem(error, 'invalid_request') && error.fields[0]?.field === field;
    await assert.rejects(auth.registerUser('bob@mail.test', 'breached'), rejected('email'));
    await assert.rejects(auth.registerUser(email, 'breached'), rejected('password'));
    await auth.registerUser(email, password);
    assert.deepEqual(asked, ['bob@mail.test', email, 'breached', email, password]);
  });
});

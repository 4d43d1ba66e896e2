// Tests the statements of the table one_time_tokens on both engines.
import assert from 'node:assert/strict';
import { anyHash } from '../../../test/support/hashing.ts';
import { test } from 'node:test';
import { onEachEngine, useDatabase } from '../../../test/support/engines.ts';
import { createToken, type NewToken } from '../../kit/secret.ts';
import { resetKind } from '../password/reset.ts';
import { DB } from '../../library/db.ts';
import {
  addToken,
  consumeToken,
  findToken,
  keepTokens,
  listPendingTokens,
  listTokensOfKind,
  removePendingTokensOf,
} from './store.ts';

const now = Date.UTC(2026, 0, 1);
const life = 1000;

onEachEngine('the table of one-time tokens', (engine) => {
  const opened = useDatabase(engine);

  /** Adds a token of a new user. */
  async function addTokenOfNewUser(kind = 'reset'): Promise<{ token: NewToken; userId: number }> {
    const { database } = opened();
    const { id: userId } = await new DB(database).addUser(`${crypto.randomUUID()}@example.org`, anyHash);
    const token = createToken(resetKind);
    const { id, secretHash } = token;
    await addToken(database, { id, secretHash, userId, kind, now, expiresAt: now + life });
    return { token, userId };
  }

  test('a token is consumed once, and the consumer learns its user', async () => {
    const { token, userId } = await addTokenOfNewUser();
    assert.equal(await consumeToken(opened().database, token, 'reset', now), userId);
    assert.equal(await consumeToken(opened().database, token, 'reset', now), undefined);
  });

  test('of a hundred concurrent attempts to consume a token one succeeds', async () => {
    const { token } = await addTokenOfNewUser();
    const owners = await Promise.all(
      Array.from({ length: 100 }, () => consumeToken(opened().database, token, 'reset', now)),
    );
    assert.equal(owners.filter((owner) => owner !== undefined).length, 1);
  });

  test('a token is not consumed with another secret, as another kind or after its expiry, and remains usable', async () => {
    const { database } = opened();
    const { token, userId } = await addTokenOfNewUser();
    const { secretHash } = createToken(resetKind);
    assert.equal(await consumeToken(database, { id: token.id, secretHash }, 'reset', now), undefined);
    assert.equal(
      await consumeToken(
        database,
        { id: createToken(resetKind).id, secretHash: token.secretHash },
        'reset',
        now,
      ),
      undefined,
    );
    assert.equal(await consumeToken(database, token, 'verification', now), undefined);
    assert.equal(await consumeToken(database, token, 'reset', now + life), undefined);
    assert.equal(await consumeToken(database, token, 'reset', now + life - 1), userId);
  });

  test('a token that is consumed in a transaction that fails remains usable', async () => {
    const { database } = opened();
    const { token, userId } = await addTokenOfNewUser();
    const failed = database.transaction(async (tx) => {
      await consumeToken(tx, token, 'reset', now);
      throw new Error('a failure');
    });
    await assert.rejects(failed, /a failure/);
    assert.equal(await consumeToken(database, token, 'reset', now), userId);
  });

  test('a user has several tokens of a kind, of which all but the named ones are removed', async () => {
    const { database } = opened();
    const { token: oldest, userId } = await addTokenOfNewUser();
    const add = async (kind: string): Promise<NewToken> => {
      const token = createToken(resetKind);
      const { id, secretHash } = token;
      await addToken(database, { id, secretHash, kind, userId, now: now + 1, expiresAt: now + life });
      return token;
    };
    const [newer, other] = [await add('reset'), await add('verification')];
    const { token: stranger } = await addTokenOfNewUser();
    const listed = await listTokensOfKind(database, userId, 'reset');
    assert.deepEqual(
      listed.map(({ id }) => id),
      [newer.id, oldest.id],
    );
    await keepTokens(database, userId, 'reset', [newer.id]);
    assert.equal(await findToken(database, oldest, 'reset'), undefined);
    for (const [parts, kind] of [
      [newer, 'reset'],
      [other, 'verification'],
      [stranger, 'reset'],
    ] as const)
      assert.notEqual(await findToken(database, parts, kind), undefined);
  });

  test('revokes the pending tokens together, and keeps a consumed one to notice its reuse', async () => {
    const { database } = opened();
    const { token: consumed, userId } = await addTokenOfNewUser();
    const pending = createToken(resetKind);
    await consumeToken(database, consumed, 'reset', now);
    await addToken(database, {
      id: pending.id,
      secretHash: pending.secretHash,
      userId,
      kind: 'verification',
      now,
      expiresAt: now + life,
    });
    await removePendingTokensOf(database, userId, []);
    assert.equal((await findToken(database, consumed, 'reset'))?.spent_at, now);
    assert.equal(await findToken(database, pending, 'verification'), undefined);
  });

  test('keeps the pending tokens of the kinds that survive', async () => {
    const { database } = opened();
    const add = async (kind: string, userId: number): Promise<NewToken> => {
      const token = createToken(resetKind);
      const { id, secretHash } = token;
      await addToken(database, { id, secretHash, userId, kind, now, expiresAt: now + life });
      return token;
    };
    const { token: revoked, userId } = await addTokenOfNewUser();
    const kept = [await add('email_undo', userId), await add('factor_undo', userId)] as const;
    await removePendingTokensOf(database, userId, ['email_undo', 'factor_undo']);
    assert.equal(await findToken(database, revoked, 'reset'), undefined);
    assert.equal((await findToken(database, kept[0], 'email_undo'))?.user_id, userId);
    assert.equal((await findToken(database, kept[1], 'factor_undo'))?.user_id, userId);
    await removePendingTokensOf(database, userId, ['factor_undo']);
    assert.equal(await findToken(database, kept[0], 'email_undo'), undefined);
    assert.equal((await findToken(database, kept[1], 'factor_undo'))?.user_id, userId);
  });

  test('lists the tokens that can still be consumed, by kind and without their secrets', async () => {
    const { database } = opened();
    const { token: consumed, userId } = await addTokenOfNewUser();
    await consumeToken(database, consumed, 'reset', now);
    const add = async (kind: string, target: string | undefined, expiresAt: number): Promise<void> => {
      const { id, secretHash } = createToken(resetKind);
      const more = target !== undefined && { target };
      await addToken(database, { id, secretHash, userId, kind, now, expiresAt, ...more });
    };
    await add('verification', undefined, now + life);
    await add('email_change', 'eve@example.org', now + 1);
    await add('sign_in', undefined, now);
    assert.deepEqual(
      (await listPendingTokens(database, userId, now)).map((row) => ({ ...row })),
      [
        { kind: 'email_change', target: 'eve@example.org', created_at: now, expires_at: now + 1 },
        { kind: 'verification', target: null, created_at: now, expires_at: now + life },
      ],
    );
    assert.deepEqual(await listPendingTokens(database, userId + 1, now), []);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actorOf } from './principal.ts';

test('a principal acts under the id of its kind', () => {
  assert.deepEqual(actorOf(undefined), { actor: 'anonymous' });
  assert.deepEqual(actorOf({ kind: 'user', userId: 7 }), { actor: 'user', actorId: '7' });
  assert.deepEqual(actorOf({ kind: 'client', clientId: 'c', userId: 7 }), { actor: 'client', actorId: 'c' });
  assert.deepEqual(actorOf({ kind: 'service' }), { actor: 'service' });
});

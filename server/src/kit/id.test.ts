import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateUuid } from './id.ts';

test('a UUID has version 7 and begins with the current millisecond (RFC 9562 §5.7)', () => {
  const before = Date.now();
  const uuid = generateUuid();
  const millisecond = Number.parseInt(uuid.slice(0, 13).replace('-', ''), 16);
  assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(millisecond >= before && millisecond <= Date.now());
});

test('UUIDs are unique', () => {
  assert.equal(new Set(Array.from({ length: 10_000 }, generateUuid)).size, 10_000);
});

test('UUIDs sort in the order of their creation, also within one millisecond', () => {
  const uuids = Array.from({ length: 2000 }, generateUuid);
  assert.deepEqual(uuids, uuids.toSorted());
});

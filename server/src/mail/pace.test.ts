// Tests the pace of mails that strangers can cause: pauses, the cap per day, and clocks that are set back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dayMs, hourMs, minuteMs } from '../kit/clock.ts';
import type { Paces, Requester } from './mail-kind.ts';
import { afterMail, nextMailAt, pacesExpireAt } from './pace.ts';

interface Request {
  readonly at: number;
  readonly kind?: string;
  readonly requestedBy?: Requester;
}

/** Returns when mails are sent if these requests arrive: a waiting mail is replaced, and sent when it is due. */
function sentFor(requests: readonly Request[]): { kind: string; at: number }[] {
  let paces: Paces = {};
  const waiting = new Map<string, number>();
  const sent: { kind: string; at: number }[] = [];
  for (const { at: now, kind = 'reset', requestedBy = 'stranger' } of requests) {
    for (const [name, at] of waiting)
      if (at <= now) {
        sent.push({ kind: name, at });
        waiting.delete(name);
      }
    const replaced = [waiting.get(kind) ?? []].flat();
    const dueAt = nextMailAt(paces, { kind, requestedBy, replaced, now });
    if (dueAt === undefined) continue;
    const withdrawn = waiting.delete(kind) ? 1 : 0;
    if (dueAt === now) sent.push({ kind, at: now });
    else waiting.set(kind, dueAt);
    paces = afterMail(paces, { kind, dueAt, withdrawn, now });
  }
  for (const [kind, at] of waiting) sent.push({ kind, at });
  return sent.toSorted((a, b) => a.at - b.at);
}

/** Returns the largest number of instants within 24 hours. */
function mostInADay(instants: readonly number[]): number {
  return Math.max(
    0,
    ...instants.map((first) => instants.filter((at) => at >= first && at < first + dayMs).length),
  );
}

const start = Date.UTC(2026, 0, 1);
const every = (ms: number, times: number, more: Partial<Request> = {}): Request[] =>
  Array.from({ length: times }, (_, i) => ({ at: start + i * ms, ...more }));

test('a request each second is mailed after 0, 1, 2, 5, 15 and then 60 minutes, ten times', () => {
  const minutes = sentFor(every(1000, 24 * 3600)).map(({ at }) => (at - start) / minuteMs);
  assert.deepEqual(minutes, [0, 1, 3, 8, 23, 83, 143, 203, 263, 323]);
});

test('fourteen requests within sixteen seconds cause a mail, and another one after a minute', () => {
  assert.deepEqual(
    sentFor(every(1200, 14)).map(({ at }) => at - start),
    [0, minuteMs],
  );
});

test('after a day without a mail there is no pause', () => {
  const again = sentFor([...every(minuteMs, 30), { at: start + 2 * dayMs }, { at: start + 2 * dayMs + 1 }]);
  assert.deepEqual(
    again.slice(-2).map(({ at }) => at - start - 2 * dayMs),
    [0, minuteMs],
  );
});

test('no sequence of requests exceeds the caps within any 24 hours', () => {
  const kinds = ['reset', 'sign_in', 'verification', 'registered'];
  const anyRequest = fc.record({
    wait: fc.oneof(
      fc.integer({ min: 0, max: 3 * minuteMs }),
      fc.integer({ min: 0, max: 3 * hourMs }),
      fc.integer({ min: 0, max: dayMs + hourMs }),
    ),
    kind: fc.constantFrom(...kinds),
  });
  fc.assert(
    fc.property(fc.array(anyRequest, { maxLength: 300, minLength: 30 }), (waits) => {
      let at = start;
      const sent = sentFor(waits.map(({ wait, kind }) => ({ at: (at += wait), kind })));
      for (const kind of kinds) {
        const own = sent.filter((mail) => mail.kind === kind).map((mail) => mail.at);
        assert.ok(mostInADay(own) <= 10, kind);
        assert.ok(
          own.every((one, i) => i === 0 || one - (own[i - 1] ?? 0) >= minuteMs),
          kind,
        );
      }
      assert.ok(mostInADay(sent.map((mail) => mail.at)) <= 20);
    }),
    { numRuns: 60 },
  );
});

test('mails of other kinds do not change what a member is sent', () => {
  const alone = every(5 * minuteMs, 200, { kind: 'change', requestedBy: 'member' });
  const others = ['reset', 'sign_in', 'registered'].flatMap((kind) => every(minuteMs, 900, { kind }));
  const both = [...alone, ...others].toSorted((a, b) => a.at - b.at);
  const changes = (requests: readonly Request[]) => sentFor(requests).filter(({ kind }) => kind === 'change');
  assert.deepEqual(changes(both), changes(alone));
});

test('a clock that is set back causes no flood and delays no mail by more than a pause', () => {
  for (const back of [hourMs, 5 * hourMs, 3 * dayMs]) {
    const early = every(minuteMs, 10);
    const late = every(minuteMs, 10).map(({ at }) => ({ at: at - back }));
    const sent = sentFor([...early, ...late]).map(({ at }) => at);
    assert.ok(mostInADay(sent) <= 10, `${back}`);
    assert.ok(
      sent.some((at) => at >= start - back && at <= start - back + hourMs),
      `mailed again after ${back}`,
    );
  }
});

test('a mail waits for its pause on an instance whose clock is a little behind', () => {
  for (const behind of [1, 10, 1000]) {
    const [first = 0, second = 0, ...others] = sentFor([
      { at: start },
      ...every(1, 9, {}).map(({ at }) => ({ at: at - behind })),
    ]).map(({ at }) => at);
    assert.deepEqual([first, others], [start, []]);
    assert.ok(second >= start + minuteMs - behind, `${second - start}`);
  }
});

test('paces expire a day after the last mail, and keep no kind that no longer counts', () => {
  const first = afterMail({}, { kind: 'reset', dueAt: start, withdrawn: 0, now: start });
  assert.equal(pacesExpireAt(first), start + dayMs);
  const next = afterMail(first, { kind: 'sign_in', dueAt: start + dayMs, withdrawn: 0, now: start + dayMs });
  assert.deepEqual(Object.keys(next).toSorted(), ['', 'sign_in']);
});

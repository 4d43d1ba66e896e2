import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { hashSync } from '@node-rs/argon2';
import bcrypt from '@node-rs/bcrypt';
import { source, startScript } from '../../test/support/script.ts';
import { threadsStartedBy } from '../../test/support/thread.ts';
import { isProblem } from '../kit/problem.ts';
import { Hasher, hashPassword } from './hasher.ts';

/** The least that argon2 takes. */
const cheap = { memoryKib: 8, passes: 1 };
/** About five milliseconds: long enough that a queue forms. */
const dear = { memoryKib: 19_456, passes: 2 };

/** `Algorithm.Argon2i` of @node-rs/argon2, whose ambient enum cannot be imported. */
const argon2i = 1;

const isUnavailable = (error: unknown): boolean => isProblem(error, 'unavailable');

describe('a hash', () => {
  const hasher = new Hasher({ cost: cheap, threads: 2, longestWaitMs: 60_000 });
  after(() => hasher.close());

  const matches = async (hashed: string, password: string): Promise<boolean> =>
    (await hasher.verify(hashed, password)).matches;

  test('is argon2id at the cost that OWASP asks for unless another is given, with a salt of its own (RFC 9106 §3.1)', async () => {
    const [first, second] = [await hashPassword('b4l0u'), await hashPassword('b4l0u')];
    assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.notEqual(first, second);
    assert.match(await hasher.hash('b4l0u'), /\$m=8,t=1,p=1\$/);
  });

  test('of no password is refused', async () => {
    await assert.rejects(
      async () => hashPassword(''),
      (error) => isProblem(error, 'invalid_request'),
    );
  });

  test('matches its own password and no other', async () => {
    const hashed = await hasher.hash('Correct horse');
    assert.deepEqual(await hasher.verify(hashed, 'Correct horse'), { matches: true, outdated: false });
    for (const wrong of [
      '',
      'correct horse',
      'Correct horse ',
      ' Correct horse',
      'Correct hors',
      'Correct\u00A0horse',
      hashed,
    ]) {
      assert.deepEqual(await hasher.verify(hashed, wrong), { matches: false, outdated: false }, wrong);
    }
  });

  test('takes a password as composed or decomposed, and confuses no look-alikes (NIST SP 800-63B-4 §3.1.1.2)', async () => {
    const hashed = await hasher.hash('re\u0301sume\u0301');
    assert.equal(await matches(hashed, 'résumé'), true);
    assert.equal(await matches(await hasher.hash('résumé'), 're\u0301sume\u0301'), true);
    for (const other of ['resume', 'rèsumè', 'RÉSUMÉ', 'ｒésumé'])
      assert.equal(await matches(hashed, other), false, other);
    assert.equal(await matches(await hasher.hash('ﬁne'), 'fine'), false);
  });

  test('reads a password to its end: behind a NUL, behind byte 72, behind a thousand characters', async () => {
    for (const begin of ['a\0', 'x'.repeat(72), 'é'.repeat(1000)]) {
      const hashed = await hasher.hash(`${begin}b`);
      assert.equal(await matches(hashed, `${begin}b`), true);
      assert.equal(await matches(hashed, `${begin}c`), false);
      assert.equal(await matches(hashed, begin), false);
    }
  });

  const outdated: Record<string, [string, boolean]> = {
    'of today': [hashSync('pw', { memoryCost: 8, timeCost: 1, parallelism: 1 }), false],
    'of a higher cost': [hashSync('pw', { memoryCost: 16, timeCost: 2, parallelism: 1 }), false],
    'of less memory': [hashSync('pw', { memoryCost: 8, timeCost: 4, parallelism: 1 }), true],
    'of fewer passes': [hashSync('pw', { memoryCost: 16, timeCost: 1, parallelism: 1 }), true],
    'of argon2i': [hashSync('pw', { algorithm: argon2i, memoryCost: 16, timeCost: 2 }), true],
    'of bcrypt': [bcrypt.hashSync('pw', 4), true],
  };
  const dearer = new Hasher({ cost: { memoryKib: 16, passes: 2 }, threads: 1 });
  after(() => dearer.close());
  for (const [title, [hashed, isOutdated]] of Object.entries(outdated)) {
    test(`${title} matches, and is ${isOutdated ? '' : 'not '}to be made anew`, async () => {
      const judge = title === 'of today' ? hasher : dearer;
      assert.deepEqual(await judge.verify(hashed, 'pw'), { matches: true, outdated: isOutdated });
      assert.equal((await judge.verify(hashed, 'no')).matches, false);
    });
  }
});

describe('a bcrypt hash made elsewhere', () => {
  const hasher = new Hasher({ cost: cheap, threads: 1 });
  after(() => hasher.close());

  const made = bcrypt.hashSync('b4l0u', 4);
  for (const version of ['2a', '2b', '2y']) {
    test(`of version ${version} verifies`, async () => {
      const hashed = made.replace(/^\$2\w\$/, `$${version}$`);
      assert.equal((await hasher.verify(hashed, 'b4l0u')).matches, true);
      assert.equal((await hasher.verify(hashed, 'b4l0u!')).matches, false);
    });
  }

  test('is matched by no password over its 72 bytes, of which it would read the first alone', async () => {
    const full = 'x'.repeat(72);
    const hashed = bcrypt.hashSync(full, 4);
    assert.equal((await hasher.verify(hashed, full)).matches, true);
    assert.equal((await hasher.verify(hashed, `${full}y`)).matches, false);
    assert.equal(
      (await hasher.verify(bcrypt.hashSync('é'.repeat(36), 4), `${'é'.repeat(36)}z`)).matches,
      false,
    );
  });

  test('is matched by no password with a NUL, behind which it would stop or begin again', async () => {
    for (const hashed of [bcrypt.hashSync('a', 4), bcrypt.hashSync('a\0b', 4)]) {
      for (const text of ['a\0', 'a\0a', 'a\0b', 'a\0c'])
        assert.equal((await hasher.verify(hashed, text)).matches, false);
    }
  });
});

describe('without a hash that can be read', () => {
  const hasher = new Hasher({ cost: cheap, threads: 1, longestWaitMs: 60_000 });
  after(() => hasher.close());

  test('nothing matches: neither for an unknown user nor for one without a password', async () => {
    for (const none of [undefined, null]) {
      for (const password of ['', 'b4l0u', 'undefined', 'null']) {
        assert.deepEqual(await hasher.verify(none, password), { matches: false, outdated: false });
      }
    }
  });

  test('nothing matches a text that is no hash; the reason holds nothing of it', async () => {
    for (const text of [
      '',
      'SuperHashedPwd',
      '$argon2id$',
      '$2b$',
      '$argon2id$v=19$m=8,t=1,p=1$$',
      'b4l0u',
    ]) {
      const { matches, unreadable } = await hasher.verify(text, text);
      assert.equal(matches, false, text);
      assert.ok(
        unreadable !== undefined && (text === '' || !unreadable.includes(text)),
        `${text}: ${unreadable}`,
      );
    }
  });

  test('the verification waits its turn all the same, so that the time tells nothing (OWASP ASVS 5.0 §6.3.8)', async () => {
    const single = new Hasher({ cost: dear, threads: 1, longestWaitMs: 60_000 });
    await single.warm();
    const order: string[] = [];
    const queue = Array.from({ length: 5 }, (_, i) => single.hash('x').then(() => order.push(`hash ${i}`)));
    await Promise.all([
      ...queue,
      single.verify(undefined, 'x').then(() => order.push('unknown')),
      single.verify('no hash', 'x').then(() => order.push('unreadable')),
    ]);
    assert.deepEqual(order, ['hash 0', 'hash 1', 'hash 2', 'hash 3', 'hash 4', 'unknown', 'unreadable']);
    await single.close();
  });
});

describe('a flood', () => {
  test('beyond what can be done in time is refused at once, what was taken in is done, and then there is room again', async () => {
    const hasher = new Hasher({ cost: dear, threads: 1, longestWaitMs: 30 });
    await hasher.warm();
    const order: string[] = [];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 300 }, () =>
        hasher.hash('x').then(
          () => order.push('done'),
          (error: unknown) => {
            order.push('refused');
            throw error;
          },
        ),
      ),
    );
    const done = outcomes.filter(({ status }) => status === 'fulfilled').length;
    assert.ok(done >= 1 && done <= 50, `${done} of 300 were taken in`);
    // One that was taken in may be refused when its time is over: on a busy machine that is soon.
    assert.ok(order.indexOf('done') >= 250, 'the others are refused before the first is done');
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      assert.ok(isProblem(outcome.reason, 'too_busy') && (outcome.reason.retryAfterSeconds ?? 0) >= 1);
    }
    assert.match(await hasher.hash('x'), /^\$argon2id\$/);
    await hasher.close();
  });

  test('of what was admitted all at once nothing waits longer than twice the longest wait', async () => {
    const hasher = new Hasher({ cost: dear, threads: 1, longestWaitMs: 100 });
    await hasher.warm();
    const startedAt = performance.now();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 2000 }, () => hasher.verify(undefined, 'x', { isAdmitted: true })),
    );
    const tookMs = performance.now() - startedAt;
    const done = outcomes.filter(({ status }) => status === 'fulfilled').length;
    assert.ok(done >= 1 && done < 2000, `${done} of 2,000 were done`);
    assert.ok(tookMs < 5000, `the last one was answered after ${tookMs} ms`);
    for (const outcome of outcomes)
      assert.ok(outcome.status === 'fulfilled' || isProblem(outcome.reason, 'too_busy'));
    assert.match(await hasher.hash('x'), /^\$argon2id\$/);
    await hasher.close();
  });
});

describe('the threads', () => {
  for (const count of [1, 2]) {
    test(`of ${count}, one that dies fails its own job as unavailable; the other jobs are done, and it is replaced`, async () => {
      const hasher = new Hasher({ cost: dear, threads: count, longestWaitMs: 60_000 });
      const { value: jobs, threads } = await threadsStartedBy(async () => {
        const begun = Array.from({ length: 6 }, () => hasher.hash('x'));
        void Promise.allSettled(begun);
        return begun;
      });
      assert.equal(threads.length, count);
      await threads[0]?.terminate();
      const outcomes = await Promise.allSettled(jobs);
      const failed = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
      );
      assert.equal(failed.length, 1);
      assert.ok(failed.every(isUnavailable), String(failed[0]));
      await threads[1]?.terminate();
      assert.equal((await Promise.all(Array.from({ length: 4 }, () => hasher.hash('x')))).length, 4);
      await hasher.close();
    });
  }

  test('are no more than were asked for, however many jobs wait', async () => {
    const hasher = new Hasher({ cost: cheap, threads: 2, longestWaitMs: 60_000 });
    const { threads } = await threadsStartedBy(() =>
      Promise.all(Array.from({ length: 50 }, () => hasher.hash('x'))),
    );
    assert.equal(threads.length, 2);
    await hasher.close();
  });

  test(
    'run at the lowest priority, so that requests go first',
    { skip: process.platform !== 'linux' && 'Linux alone has priorities of threads' },
    async () => {
      const lowest = (): number =>
        readdirSync('/proc/self/task').filter(
          (id) => niceOf(readFileSync(`/proc/self/task/${id}/stat`, 'utf8')) === 19,
        ).length;
      const before = lowest();
      const own = niceOf(readFileSync('/proc/self/stat', 'utf8'));
      const hasher = new Hasher({ cost: cheap, threads: 2, longestWaitMs: 60_000 });
      await Promise.all(Array.from({ length: 4 }, () => hasher.hash('x')));
      assert.equal(lowest() - before, 2);
      assert.equal(niceOf(readFileSync('/proc/self/stat', 'utf8')), own);
      await hasher.close();
    },
  );

  test('end with the hasher: what waits and what comes later is refused as unavailable', async () => {
    const hasher = new Hasher({ cost: dear, threads: 1, longestWaitMs: 60_000 });
    const waiting = Promise.allSettled(Array.from({ length: 5 }, () => hasher.hash('x')));
    await hasher.close();
    for (const outcome of await waiting)
      assert.ok(outcome.status === 'rejected' && isUnavailable(outcome.reason));
    await assert.rejects(hasher.hash('x'), isUnavailable);
    await assert.rejects(hasher.verify(undefined, 'x'), isUnavailable);
  });

  test('keep a program alive while it waits for a hash, and no longer', async () => {
    const script = startScript(`
      import { hashPassword } from '${source('index.ts')}';
      console.log((await hashPassword('b4l0u')).slice(0, 9));`);
    assert.equal(await script.ended, 0);
    assert.deepEqual(script.lines, ['$argon2id']);
  });
});

/** Niceness in a line of proc_pid_stat(5): the 19th field; the second, a name, may hold spaces. */
function niceOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
}

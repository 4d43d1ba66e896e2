import assert from 'node:assert/strict';
import { getPriority } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { after, describe, test } from 'node:test';
import { hashSync } from '@node-rs/argon2';
import bcrypt from '@node-rs/bcrypt';
import { patient, whenNotBusy } from '../../test/support/hashing.ts';
import { source, startScript } from '../../test/support/script.ts';
import { threadsAt, threadsStartedBy } from '../../test/support/thread.ts';
import { isProblem } from '../kit/problem.ts';
import { Hasher, hashPassword } from './hasher.ts';

/** The minimum cost of argon2. */
const cheap = { memoryKib: 8, passes: 1 };
/** About five milliseconds: long enough that a queue forms. */
const expensive = { memoryKib: 19_456, passes: 2 };

/** `Algorithm.Argon2i` of @node-rs/argon2, whose ambient enum cannot be imported. */
const argon2i = 1;

const isUnavailable = (error: unknown): boolean => isProblem(error, 'unavailable');

describe('a hash', () => {
  const hasher = new Hasher({ ...patient, cost: cheap, threads: 2 });
  after(() => hasher.close());

  const matches = async (hashed: string, password: string): Promise<boolean> =>
    (await hasher.verify(hashed, password)).matches;

  test('is argon2id with a random salt (RFC 9106 §3.1), by default at the cost that OWASP recommends', async () => {
    const hash = (): Promise<string> => whenNotBusy(() => hashPassword('b4l0u'));
    const [first, second] = [await hash(), await hash()];
    assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.notEqual(first, second);
    assert.match(await hasher.hash('b4l0u'), /\$m=8,t=1,p=1\$/);
  });

  test('of an empty password is rejected', async () => {
    await assert.rejects(
      async () => hashPassword(''),
      (error) => isProblem(error, 'invalid_request'),
    );
  });

  test('matches only its own password', async () => {
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

  test('matches composed and decomposed forms of a password, but no similar characters (NIST SP 800-63B-4 §3.1.1.2)', async () => {
    const hashed = await hasher.hash('re\u0301sume\u0301');
    assert.equal(await matches(hashed, 'résumé'), true);
    assert.equal(await matches(await hasher.hash('résumé'), 're\u0301sume\u0301'), true);
    for (const other of ['resume', 'rèsumè', 'RÉSUMÉ', 'ｒésumé'])
      assert.equal(await matches(hashed, other), false, other);
    assert.equal(await matches(await hasher.hash('ﬁne'), 'fine'), false);
  });

  test('depends on the whole password: after a NUL, after byte 72, after a thousand characters', async () => {
    for (const begin of ['a\0', 'x'.repeat(72), 'é'.repeat(1000)]) {
      const hashed = await hasher.hash(`${begin}b`);
      assert.equal(await matches(hashed, `${begin}b`), true);
      assert.equal(await matches(hashed, `${begin}c`), false);
      assert.equal(await matches(hashed, begin), false);
    }
  });

  const outdated: Record<string, [string, boolean]> = {
    'of the current cost': [hashSync('pw', { memoryCost: 8, timeCost: 1, parallelism: 1 }), false],
    'of a higher cost': [hashSync('pw', { memoryCost: 16, timeCost: 2, parallelism: 1 }), false],
    'of less memory': [hashSync('pw', { memoryCost: 8, timeCost: 4, parallelism: 1 }), true],
    'of fewer passes': [hashSync('pw', { memoryCost: 16, timeCost: 1, parallelism: 1 }), true],
    'of argon2i': [hashSync('pw', { algorithm: argon2i, memoryCost: 16, timeCost: 2 }), true],
    'of bcrypt': [bcrypt.hashSync('pw', 4), true],
  };
  const costlier = new Hasher({ ...patient, cost: { memoryKib: 16, passes: 2 }, threads: 1 });
  after(() => costlier.close());
  for (const [title, [hashed, isOutdated]] of Object.entries(outdated)) {
    test(`${title} matches, and is ${isOutdated ? '' : 'not '}outdated`, async () => {
      const verifier = title === 'of the current cost' ? hasher : costlier;
      assert.deepEqual(await verifier.verify(hashed, 'pw'), { matches: true, outdated: isOutdated });
      assert.equal((await verifier.verify(hashed, 'no')).matches, false);
    });
  }
});

describe('a bcrypt hash of another product', () => {
  const hasher = new Hasher({ ...patient, cost: cheap, threads: 1 });
  after(() => hasher.close());

  const made = bcrypt.hashSync('b4l0u', 4);
  for (const version of ['2a', '2b', '2y']) {
    test(`of version ${version} matches its password`, async () => {
      const hashed = made.replace(/^\$2\w\$/, `$${version}$`);
      assert.equal((await hasher.verify(hashed, 'b4l0u')).matches, true);
      assert.equal((await hasher.verify(hashed, 'b4l0u!')).matches, false);
    });
  }

  test('does not match a password of more than 72 bytes, of which bcrypt would ignore the rest', async () => {
    const full = 'x'.repeat(72);
    const hashed = bcrypt.hashSync(full, 4);
    assert.equal((await hasher.verify(hashed, full)).matches, true);
    assert.equal((await hasher.verify(hashed, `${full}y`)).matches, false);
    assert.equal(
      (await hasher.verify(bcrypt.hashSync('é'.repeat(36), 4), `${'é'.repeat(36)}z`)).matches,
      false,
    );
  });

  test('does not match a password with a NUL, where bcrypt would stop or repeat the key', async () => {
    for (const hashed of [bcrypt.hashSync('a', 4), bcrypt.hashSync('a\0b', 4)]) {
      for (const text of ['a\0', 'a\0a', 'a\0b', 'a\0c'])
        assert.equal((await hasher.verify(hashed, text)).matches, false);
    }
  });
});

describe('verification without a readable hash', () => {
  const hasher = new Hasher({ ...patient, cost: cheap, threads: 1 });
  after(() => hasher.close());

  test('never matches for an unknown user or a user without a password', async () => {
    for (const none of [undefined, null]) {
      for (const password of ['', 'b4l0u', 'undefined', 'null']) {
        assert.deepEqual(await hasher.verify(none, password), { matches: false, outdated: false });
      }
    }
  });

  test('never matches a malformed hash, and the reason does not quote it', async () => {
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

  test('waits in the queue like any other, so that the time reveals nothing (OWASP ASVS 5.0 §6.3.8)', async () => {
    const single = new Hasher({ ...patient, cost: expensive, threads: 1 });
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

describe('a flood of hashing jobs', () => {
  test('rejects immediately what cannot finish in time, finishes admitted jobs, and then admits new ones', async () => {
    const hasher = new Hasher({ cost: expensive, threads: 1, maxWaitMs: 30, niceness: 0 });
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
    assert.ok(done >= 1 && done <= 50, `${done} of 300 were admitted`);
    // An admitted job may still be rejected at its deadline, which comes soon on a busy machine.
    assert.ok(order.indexOf('done') >= 250, 'the others are rejected before the first is done');
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      assert.ok(isProblem(outcome.reason, 'too_busy') && (outcome.reason.retryAfterSeconds ?? 0) >= 1);
    }
    assert.match(await hasher.hash('x'), /^\$argon2id\$/);
    await hasher.close();
  });

  test('of jobs that were admitted together makes none wait longer than twice the maximum wait', async () => {
    const hasher = new Hasher({ cost: expensive, threads: 1, maxWaitMs: 100, niceness: 0 });
    await hasher.warm();
    const startedAt = performance.now();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 2000 }, () => hasher.verify(undefined, 'x', { isAdmitted: true })),
    );
    const tookMs = performance.now() - startedAt;
    const done = outcomes.filter(({ status }) => status === 'fulfilled').length;
    assert.ok(done >= 1 && done < 2000, `${done} of 2,000 were done`);
    assert.ok(tookMs < 60_000, `the last one was answered after ${tookMs} ms`);
    for (const outcome of outcomes)
      assert.ok(outcome.status === 'fulfilled' || isProblem(outcome.reason, 'too_busy'));
    assert.match(await hasher.hash('x'), /^\$argon2id\$/);
    await hasher.close();
  });
});

test('a hash that takes too long for a reply is rejected, and its thread then serves others', async () => {
  const hasher = new Hasher({
    cost: { memoryKib: 19_456, passes: 100 },
    threads: 1,
    maxWaitMs: 60_000,
    maxTotalMs: 50,
    niceness: 0,
  });
  const busy = (error: unknown): boolean => isProblem(error, 'too_busy');
  await hasher.warm().catch(() => undefined); // starts the thread
  await assert.rejects(hasher.hash('x'), busy);
  const quick = hashSync('x', { memoryCost: 8, timeCost: 1, parallelism: 1 });
  for (let matches = false; !matches; await wait(20))
    matches = await hasher.verify(quick, 'x').then(
      (verification) => verification.matches,
      (error: unknown) => {
        assert.ok(busy(error), String(error));
        return false;
      },
    );
  await hasher.close();
});

describe('the options of a hasher', () => {
  const untyped = (value: unknown): never => value as never;
  const numbers: Record<string, readonly [min: number, max: number]> = {
    threads: [1, 1024],
    maxWaitMs: [0, 3_600_000],
    maxTotalMs: [1, 3_600_000],
    niceness: [0, 19],
    memoryKib: [8, 4_194_304],
    passes: [1, 1000],
  };

  for (const [name, [min, max]] of Object.entries(numbers)) {
    const isCost = name in cheap;
    const make = (value: unknown) => async (): Promise<void> => {
      const options = isCost ? { cost: { ...cheap, [name]: value } } : { [name]: value };
      await new Hasher(untyped(options)).close();
    };

    test(`${name} is a whole number from ${min} to ${max}; another value is refused, and named`, async () => {
      for (const value of [min, max]) await make(value)();
      for (const value of [min - 1, max + 1, min + 0.5, NaN, Infinity])
        await assert.rejects(make(value), {
          name: 'RangeError',
          message: `The option ${name} of Hasher must be a whole number from ${min} to ${max}, not ${value}`,
        });
      for (const value of ['2', {}, true])
        await assert.rejects(
          make(value),
          new RegExp(`^TypeError: The option ${name} of Hash(?:er|Cost) must be a number`),
        );
    });
  }

  test('an unknown one, or an incomplete cost, is refused', () => {
    for (const [options, message] of [
      [{ memoryKib: 19_456 }, /^TypeError: Hasher has no option memoryKib\./],
      [{ thread: 2 }, /^TypeError: Hasher has no option thread\. Did you mean threads\?/],
      [{ cost: { memoryKiB: 8 } }, /^TypeError: HashCost has no option memoryKiB\. Did you mean memoryKib\?/],
      [{ cost: { memoryKib: 8 } }, /^TypeError: HashCost needs passes/],
      [{ cost: 7 }, /^TypeError: The option cost of Hasher must be an object/],
      [null, /^TypeError: Hasher needs an object/],
    ] as const)
      assert.throws(() => new Hasher(untyped(options)), message);
  });
});

describe('hashing threads', () => {
  for (const count of [1, 2]) {
    test(`one of ${count} that dies fails only its own job as unavailable, and is replaced`, async () => {
      const hasher = new Hasher({ ...patient, cost: expensive, threads: count });
      const { value, threads } = await threadsStartedBy(async () => ({
        jobs: Promise.allSettled(Array.from({ length: 6 }, () => hasher.hash('x'))),
      }));
      assert.equal(threads.length, count);
      await threads[0]?.terminate();
      const failed = (await value.jobs).flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
      );
      assert.equal(failed.length, 1);
      assert.ok(failed.every(isUnavailable), String(failed[0]));
      await threads[1]?.terminate();
      assert.equal((await Promise.all(Array.from({ length: 4 }, () => hasher.hash('x')))).length, 4);
      await hasher.close();
    });
  }

  test('never exceed the configured number', async () => {
    const hasher = new Hasher({ ...patient, cost: cheap, threads: 2 });
    const { threads } = await threadsStartedBy(() =>
      Promise.all(Array.from({ length: 50 }, () => hasher.hash('x'))),
    );
    assert.equal(threads.length, 2);
    await hasher.close();
  });

  test(
    'run at the lowest priority, so that requests run first, or at the configured one',
    { skip: process.platform !== 'linux' && 'only Linux has priorities of threads' },
    async () => {
      const own = getPriority();
      const { niceness: _, ...limits } = patient;
      for (const [options, niceness] of [
        [limits, 19],
        [{ ...limits, niceness: own + 3 }, own + 3],
      ] as const) {
        const before = threadsAt(niceness);
        const hasher = new Hasher({ ...options, cost: cheap, threads: 2 });
        await Promise.all(Array.from({ length: 4 }, () => hasher.hash('x')));
        assert.equal(threadsAt(niceness) - before, 2);
        assert.equal(getPriority(), own);
        await hasher.close();
      }
    },
  );

  test('end with the hasher: waiting and later jobs are rejected as unavailable', async () => {
    const hasher = new Hasher({ ...patient, cost: expensive, threads: 1 });
    const waiting = Promise.allSettled(Array.from({ length: 5 }, () => hasher.hash('x')));
    await hasher.close();
    for (const outcome of await waiting)
      assert.ok(outcome.status === 'rejected' && isUnavailable(outcome.reason));
    await assert.rejects(hasher.hash('x'), isUnavailable);
    await assert.rejects(hasher.verify(undefined, 'x'), isUnavailable);
  });

  test('keep a process alive only while it waits for a hash', async () => {
    const script = startScript(`
      import { hashPassword } from '${source('index.ts')}';
      const hash = () => hashPassword('b4l0u').catch((error) => (error.code === 'too_busy' ? hash() : error.message));
      console.log((await hash()).slice(0, 9));`);
    assert.equal(await script.ended, 0);
    assert.deepEqual(script.lines, ['$argon2id']);
  });
});

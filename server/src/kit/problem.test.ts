import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldProblem, getProblem, isProblem, Problem } from './problem.ts';

test('the message of a problem defaults to its title', () => {
  assert.equal(new Problem('too_busy').message, getProblem('too_busy').title);
});

test('a problem is an error with its code, name and stack, and keeps its private cause', () => {
  const cause = new Error('the disk is full');
  const problem = new Problem('unavailable', { message: 'SQLite: full', cause, retryAfterSeconds: 2 });
  assert.ok(problem instanceof Error);
  assert.equal(problem.name, 'Problem');
  assert.equal(problem.code, 'unavailable');
  assert.equal(problem.message, 'SQLite: full');
  assert.equal(problem.cause, cause);
  assert.equal(problem.retryAfterSeconds, 2);
  assert.match(problem.stack ?? '', /problem\.test/);
});

test('a problem without details has no fields, no retry delay and no cause', () => {
  const problem = new Problem('not_found');
  assert.deepEqual(problem.fields, []);
  assert.equal(problem.retryAfterSeconds, undefined);
  assert.equal('cause' in problem, false);
});

test('the problem of an invalid field has the code invalid_request and names the field', () => {
  const problem = fieldProblem('email', 'is not a valid email address');
  assert.equal(problem.code, 'invalid_request');
  assert.equal(problem.message, 'email is not a valid email address');
  assert.deepEqual(problem.fields, [{ field: 'email', message: 'is not a valid email address' }]);
});

test('isProblem compares the code and accepts nothing but problems', () => {
  assert.equal(isProblem(new Problem('too_busy'), 'too_busy'), true);
  assert.equal(isProblem(new Problem('too_busy'), 'unavailable'), false);
  for (const value of [
    undefined,
    null,
    'too_busy',
    { code: 'too_busy' },
    Object.assign(new Error('too_busy'), { code: 'too_busy' }),
  ]) {
    assert.equal(isProblem(value, 'too_busy'), false);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Translate } from '../../http/pages.ts';
import { promptsFor, type FactorPrompt } from './prompt.ts';

const t: Translate = Object.assign((key: string) => key, { language: 'en' });

test('a prompt knows whose factor is asked for, where, and what for', () => {
  const asked: unknown[] = [];
  const prompt: FactorPrompt = {
    factor: 'phone',
    inputs: (_t, _fault, given) => {
      asked.push(given);
      return '';
    },
  };
  const account = { email: 'ada@example.org', next: '/next' };
  for (const purpose of ['second_factor', 'step_up'] as const)
    promptsFor(t, [prompt], ['phone'], { account, action: '/x', purpose, hidden: '' });
  assert.deepEqual(asked, [
    { ...account, purpose: 'second_factor' },
    { ...account, purpose: 'step_up' },
  ]);
});

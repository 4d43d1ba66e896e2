// One journey on the pages in a real browser. All of them: journeys.system.ts; each in every way: journeys.long.ts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Venue } from '../support/visitor.ts';
import { perform, stories } from './story.ts';

describe('the pages', () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  const [first = assert.fail()] = stories;
  test(first.title, perform(venue, first));
});

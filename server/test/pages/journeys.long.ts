// Every story in every browser setup.
import { after, before, describe, test } from 'node:test';
import { Venue } from '../support/visitor.ts';
import { perform, stories, ways } from './story.ts';

describe('the pages', { concurrency: 2 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  for (const { way, ...sitting } of ways)
    for (const one of stories) test(`${way} ${one.title}`, perform(venue, one, sitting));
});

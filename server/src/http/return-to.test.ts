import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anyCharacter } from '../../test/support/any-character.ts';
import { offSiteTargets } from '../../test/support/off-site-target.ts';
import { ReturnTargets } from './return-to.ts';

const own = 'https://accounts.test';
const application = 'https://app.example.org';
const targets = new ReturnTargets({
  ownOrigin: own,
  allowedOrigins: [application],
  allowsLoopback: false,
});
const local = new ReturnTargets({
  ownOrigin: 'http://localhost:5000',
  allowedOrigins: [],
  allowsLoopback: true,
});

/** Returns the origin to which a browser on a page of this service would go. */
const originOf = (location: string): string | undefined => URL.parse(location, own)?.origin;

describe('return_to', () => {
  const taken: Readonly<Record<string, string>> = {
    '/': '/',
    '/account': '/account',
    '/account?a=1&b=//evil.test#there': '/account?a=1&b=//evil.test#there',
    '/a/../account': '/account',
    '/%2f%2fevil.test': '/%2f%2fevil.test', // every browser treats this as a path
    '/account/é': '/account/%C3%A9',
    [application]: `${application}/`,
    [`${application}/a?b#c`]: `${application}/a?b#c`,
    [`${application}:443/`]: `${application}/`,
    'HTTPS://APP.EXAMPLE.ORG/A': `${application}/A`,
    [`${application}//evil.test`]: `${application}//evil.test`, // a path of the application
  };
  for (const [text, target] of Object.entries(taken))
    test(`accepts ${text}`, () => assert.equal(targets.parse(text), target));

  for (const text of offSiteTargets)
    test(`rejects ${JSON.stringify(text)}`, () => assert.equal(targets.parse(text), undefined));

  test('rejects undefined and empty text', () => {
    assert.equal(targets.parse(undefined), undefined);
    assert.equal(targets.parse(''), undefined);
  });

  test('accepts at most 2000 characters', () => {
    assert.equal(targets.parse(`/${'a'.repeat(1999)}`)?.length, 2000);
    assert.equal(targets.parse(`/${'a'.repeat(2000)}`), undefined);
  });

  test('never leads a browser to any other origin than the own and the allowed ones', () => {
    const pieces = ['/', '\\', '.', '..', '//', '%2f', '%5c', '%2e', '@', ':', '?', '#', '\t', '\n', ' '];
    const words = ['evil.test', 'app.example.org', 'https:', 'http:', 'javascript:', 'x', '[::1]', 'é', '。'];
    const text = fc
      .array(fc.oneof(fc.constantFrom(...pieces, ...words), fc.string({ unit: anyCharacter, maxLength: 2 })))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.constantFrom('', '/', application, 'https://'), text, (start, rest) => {
        const target = targets.parse(start + rest);
        if (target === undefined) return;
        assert.ok([own, application].includes(originOf(target) ?? ''), `${start}${rest} led to ${target}`);
        assert.equal(targets.parse(target), target, 'a target is the target of itself');
        assert.match(target, /^[\u0021-\u007e]+$/, 'fit for a header');
      }),
      { numRuns: 3000 },
    );
  });
});

describe('return_to of an application on this machine', () => {
  const address = 'http://localhost:3000/a';
  test('need not be configured in local mode', () => {
    for (const one of [address, 'http://127.0.0.1:8080/', 'http://[::1]:1/'])
      assert.equal(local.parse(one), one);
  });
  test('must be configured in public mode', () => assert.equal(targets.parse(address), undefined));
  test('is rejected if the host is not on this machine', () => {
    const elsewhere = ['http://localhost.evil.test/', 'http://127.0.0.1.evil.test/', 'http://127.evil.test/'];
    for (const one of [...elsewhere, 'https://localhost/', 'http://0.0.0.0/', 'http://localhost@evil.test/'])
      assert.equal(local.parse(one), undefined, one);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressOf, field, hidden, notice } from './markup.ts';

/** Breaks out of an attribute, a text, an element and a script if it is not escaped. */
const evil = `"'><script>alert(1)</script></textarea>&quot;{{7*7}}\``;
/** Asserts that no character is left that ends a text or a quoted value. */
const assertEscaped = (markup: string): void => {
  assert.doesNotMatch(markup, /<script|<\/textarea>/);
  assert.doesNotMatch(markup, /"'|'>/);
  assert.ok(markup.includes('&#60;script&#62;'), markup);
  assert.ok(markup.includes('&#38;quot;'), 'text that looks escaped is escaped again');
};

describe('a field', () => {
  const plain = { name: 'email', label: 'E-mail', autocomplete: 'username' };

  test('has a label, and is required by default', () => {
    const markup = field(plain);
    assert.match(markup, /<label for="email">E-mail<\/label>/);
    assert.match(markup, /id="email"\s+name="email"\s+type="text"\s+value=""\s+autocomplete="username"/);
    assert.match(markup, /\srequired\s/);
    assert.doesNotMatch(markup, /aria-|autofocus|minlength|class="code"|spellcheck/);
    assert.doesNotMatch(field({ ...plain, isOptional: true }), /required/);
  });

  test('is described by its hint and its fault, and gets the focus if it has a fault', () => {
    const markup = field({ ...plain, id: 'other', hint: 'any', fault: 'wrong' });
    assert.match(markup, /aria-describedby="other-hint other-fault"/);
    assert.match(markup, /aria-invalid="true" autofocus/);
    assert.match(markup, /id="other-hint">any<[\s\S]*id="other-fault">wrong</);
    assert.match(field({ ...plain, hint: 'any' }), /aria-describedby="email-hint"/);
  });

  test('for a code or an address turns off spelling correction', () => {
    for (const given of [
      { type: 'email' },
      { code: 'digits' },
      { code: 'mail' },
      { code: 'recovery' },
    ] as const)
      assert.match(field({ ...plain, ...given }), /spellcheck="false"/);
    assert.match(field({ ...plain, code: 'digits' }), /class="code" inputmode="numeric"/);
    assert.match(field({ ...plain, code: 'mail' }), /class="code" autocapitalize="characters"/);
  });

  test('for an address is not judged by the browser, which rejects addresses that the service accepts', () => {
    const markup = field({ ...plain, type: 'email' });
    assert.match(markup, /type="text"/);
    assert.match(markup, /inputmode="email" autocapitalize="none"/);
  });

  test('has a minimum length above one', () => {
    assert.match(field({ ...plain, minLength: 15 }), /minlength="15"/);
    assert.doesNotMatch(field({ ...plain, minLength: 1 }), /minlength/);
  });

  test('escapes every value (A10)', () => {
    const every = { name: evil, label: evil, autocomplete: evil, value: evil, hint: evil, fault: evil };
    assertEscaped(field({ ...every, data: { check: evil } }));
    assertEscaped(field({ ...plain, data: { check: evil } }));
  });
});

test('a hidden input escapes its value, and is omitted without one', () => {
  assert.equal(hidden('return_to', '/a?b'), '<input type="hidden" name="return_to" value="/a?b" />');
  assert.equal(hidden('return_to', undefined), '');
  assert.equal(hidden('credential', ''), '<input type="hidden" name="credential" value="" />');
  assertEscaped(hidden('return_to', evil));
});

test('a notice has the role status, a fault the role alert, and no message no markup', () => {
  assert.match(notice('done', 'It is done.'), /class="notice done" role="status">It is done\.</);
  assert.match(notice('fault', 'No.'), /class="notice fault" role="alert" tabindex="-1" autofocus>No\.</);
  assert.equal(notice('fault', undefined), '');
  assertEscaped(notice('done', evil));
});

test('addressOf adds defined values to the query and omits the others', () => {
  assert.equal(addressOf('/sign-in', {}), '/sign-in');
  assert.equal(addressOf('/sign-in', { email: undefined }), '/sign-in');
  assert.equal(addressOf('/sign-in', { email: '', return_to: undefined }), '/sign-in?email=');
  const address = addressOf('/sign-in', { email: 'a+b&c=d#e@example.org', return_to: '/x?y=z&w' });
  const { searchParams } = new URL(address, 'http://x');
  assert.deepEqual(Object.fromEntries(searchParams), {
    email: 'a+b&c=d#e@example.org',
    return_to: '/x?y=z&w',
  });
});

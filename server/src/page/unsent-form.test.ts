// Forms that did not reach their page: the session had ended, the proof was too old, or the form was made for an earlier
// session. What was typed comes back, except secrets.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hourMs } from '../kit/clock.ts';
import { Browser, signIn } from '../../test/support/browser.ts';
import { addPasskey, signInWithPasskey } from '../../test/support/factor.ts';
import { hasFeature } from '../../test/support/feature.ts';
import { unescapeMarkup } from '../../test/support/markup.ts';
import { asPage } from '../../test/support/page-form.ts';
import { PasskeyDevice } from '../../test/support/passkey-device.ts';
import { PublicService, type Member } from '../../test/support/public-service.ts';
import type { Reply } from '../../test/support/request.ts';

/** What a user types, by the names of the fields. */
const typed: Readonly<Record<string, string>> = {
  email: 'ada.new@example.org',
  name: 'Ada’s <new> phone',
  picture: 'https://example.org/ada.png',
  user_code: 'BBBB-CCCC',
};

interface TypedForm {
  readonly page: string;
  readonly action: string;
  /** All fields, and those with a text. */
  readonly fields: Readonly<Record<string, string>>;
  readonly texts: readonly string[];
}

/** The forms of a page with fields in which a user types, without those for secrets. */
function formsIn(page: string, { text }: Reply): TypedForm[] {
  const [, main = ''] = /<main[^>]*>([\s\S]*)<\/main>/.exec(text) ?? [];
  return [...main.matchAll(/<form method="post" action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/g)].flatMap(
    ([, action = '', inputs = '']) => {
      const all = [...inputs.matchAll(/<input\s[^>]*>/g)].map(([tag]) => ({
        name: attribute(tag, 'name'),
        value: attribute(tag, 'value'),
        isText:
          attribute(tag, 'type') === 'text' && !/ hidden|one-time-code/.test(tag.replaceAll(/\s+/g, ' ')),
      }));
      const texts = all.filter(({ isText }) => isText).map(({ name }) => name);
      const fields = all.map(({ name, value }) => [name, texts.includes(name) ? typed[name] : value]);
      return texts.length === 0
        ? []
        : [{ page, action, texts, fields: Object.fromEntries(fields) as Record<string, string> }];
    },
  );
}

function attribute(tag: string, name: string): string {
  return unescapeMarkup(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
}

describe('a form that did not reach its page', () => {
  let service: PublicService;
  let member: Member;
  let forms: readonly TypedForm[];
  const device = new PasskeyDevice('https://accounts.test');
  before(async () => {
    service = await PublicService.start('sqlite');
    member = await service.member();
    const at = await signIn(service, member);
    if (hasFeature('passkey')) await addPasskey(at, device);
    forms = await everyForm(at);
    const names = new Set(forms.flatMap(({ texts }) => texts));
    for (const name of names) assert.ok(name in typed, name);
    assert.ok(names.has('name') && names.has('picture'));
  });
  after(() => service.close());

  /** The forms of all pages for users who are signed in. */
  async function everyForm(at: Browser): Promise<TypedForm[]> {
    const found: TypedForm[] = [];
    for (const { url, method, isPage, access } of service.service.routes) {
      if (!isPage || method !== 'GET' || !['session', 'enrollment'].includes(access)) continue;
      const reply = await at.get(url, asPage);
      if (reply.status === 200) found.push(...formsIn(url, reply));
    }
    return found;
  }

  const target = (reply: Reply): string => {
    assert.equal(reply.status, 303, reply.text);
    return String(reply.headers['location']);
  };
  const send = (at: Browser, { action, fields }: Pick<TypedForm, 'action' | 'fields'>): Promise<Reply> =>
    at.send({ method: 'POST', path: action, fields, headers: asPage });

  /** Asserts that a page has the form again, with what was typed, and says that it is to be sent. */
  function assertKept({ page, action, texts }: TypedForm, reply: Reply): void {
    assert.equal(reply.status, 200, `${page}: ${reply.text}`);
    assert.match(reply.text, /The form is not sent yet/, page);
    const again = formsIn(page, reply).find((one) => one.action === action);
    const [, main = ''] = /<main[^>]*>([\s\S]*)<\/main>/.exec(reply.text) ?? [];
    for (const name of texts) {
      const tags = [...main.matchAll(/<input\s[^>]*>/g)].map(([tag]) => tag);
      const values = tags
        .filter((tag) => attribute(tag, 'name') === name)
        .map((tag) => attribute(tag, 'value'));
      assert.ok(values.includes(typed[name] ?? ''), `${page} ${name}: ${values.join()}`);
    }
    assert.ok(again !== undefined, page);
  }

  test('is there again after the session ended and the user signed in, also with a wrong password first', async () => {
    for (const one of forms) {
      const at = new Browser(service);
      const asked = new URL(target(await send(at, one)), 'https://accounts.test');
      assert.deepEqual([asked.pathname, asked.searchParams.get('done')], ['/sign-in', 'over'], one.action);
      const back = asked.searchParams.get('return_to') ?? '';
      await at.submit('/sign-in', { email: member.email, password: 'wrong', return_to: back });
      await enter(at);
      assertKept(one, await at.get(back, asPage));
      const elsewhere = await at.get(one.page, asPage);
      assert.doesNotMatch(elsewhere.text, /The form is not sent yet|ada\.new/, one.page);
    }
  });

  test('is there again after the proof became too old and the user gave another one', async () => {
    let count = 0;
    for (const one of forms) {
      const at = await enter(new Browser(service));
      const [form_token = ''] =
        /(?<=name="form_token" value=")[^"]+/.exec((await at.get('/account', asPage)).text) ?? [];
      service.service.clock.advance(hourMs / 2);
      const reply = await send(at, { ...one, fields: { ...one.fields, form_token } });
      const asked = new URL(target(reply), 'https://accounts.test');
      if (asked.pathname !== '/step-up') continue; // it needs no recent proof
      count += 1;
      await enter(at);
      assertKept(one, await at.get(asked.searchParams.get('return_to') ?? '', asPage));
    }
    assert.ok(count > 0 || !hasFeature('email-change'));
  });

  test('can be sent again if it was made for an earlier session', async () => {
    for (const one of forms) {
      const at = await enter(new Browser(service));
      const reply = await send(at, { ...one, fields: { ...one.fields, form_token: 'of another session' } });
      assert.equal(reply.status, 403, one.action);
      const [, again = ''] = /<a class="button" href="([^"]+)"/.exec(reply.text) ?? [];
      assertKept(one, await at.get(unescapeMarkup(again), asPage));
    }
  });

  /** Signs in, with the second factor if the account has one. */
  async function enter(at: Browser): Promise<Browser> {
    const { email, password } = member;
    if (hasFeature('passkey')) await signInWithPasskey(at, device);
    else await at.post('/sessions', { email, password });
    return at;
  }
});

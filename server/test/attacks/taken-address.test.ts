// A11 enumeration by members: a change of address to a taken address leaves the same rows as one to a free address,
// because members can read their own tokens, mails and pauses.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs, secondMs } from '../../src/kit/clock.ts';
import { type Browser, signIn } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { needs } from '../support/feature.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService, type Member } from '../support/public-service.ts';

/** Splits a text, so that a test shows only what differs. */
const lines = (text: string): string[] => text.split(/(?<=[{}])|\n/);

onEachEngine(needs('a change to a taken address', 'email-change', 'data-export'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const wait = (ms: number): void => service.service.clock.advance(ms);

  /** The text without what differs between two members who do the same. */
  function anonymous(text: string, { email, id }: Member, addresses: readonly string[]): string {
    const known = [email, ...addresses];
    const named = known.reduce(
      (rest, one, i) =>
        rest.replaceAll(one, `address ${i}`).replaceAll(encodeURIComponent(one), `address ${i}`),
      text,
    );
    return named
      .replaceAll(/[\w-]*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}[\w.-]*/g, 'id')
      .replaceAll(/[\w+/=-]{40,}/g, 'secret')
      .replaceAll(/\b10\.0\.\d+\.\d+/g, 'client')
      .replaceAll(/"request_id":"[^"]*"/g, 'request')
      .replaceAll(new RegExp(`"(id|actor_id)":"?${id}"?`, 'g'), '$1');
  }

  /** Everything that a session can read, by path. */
  async function readable(
    browser: Browser,
    member: Member,
    addresses: readonly string[],
  ): Promise<Record<string, string>> {
    const paths = service.service.routes
      .filter(({ method, isRefusal, url }) => method === 'GET' && !isRefusal && !url.includes(':'))
      .map(({ url }) => url)
      .filter((url) => url !== '/openapi.json' && !url.includes('*') && !url.startsWith('/assets'));
    assert.ok(paths.includes('/profile/export') && paths.includes('/account'));
    const seen: Record<string, string> = {};
    for (const path of paths) {
      const { status, text } = await browser.get(path, { accept: 'text/html,application/json' });
      seen[path] = `${status} ${anonymous(text, member, addresses)}`;
    }
    return seen;
  }

  /** What a member sees who asks for the address and then for another one. */
  async function story(target: string): Promise<Record<string, string>[]> {
    const member = await service.member();
    const browser = await signIn(service, member);
    await service.deliver();
    const [early, late] = [freshEmail(), freshEmail()];
    const addresses = [target, early, late];
    const seen: Record<string, string>[] = [];
    const see = async (): Promise<void> => void seen.push(await readable(browser, member, addresses));
    const ask = async (email: string): Promise<void> => {
      const reply = await browser.post('/profile/email', { email, password: member.password });
      seen.push({ reply: `${reply.status} ${anonymous(reply.text, member, addresses)}` });
    };
    await ask(early);
    const proof = await service.tokenFor(early);
    wait(minuteMs);
    await ask(target);
    await see();
    await service.deliver();
    await see();
    wait(secondMs);
    await ask(late); // within the pause of the account
    await service.deliver();
    await see();
    wait(minuteMs);
    await ask(target); // within the pause of the recipient
    await ask(late);
    wait(minuteMs);
    await service.deliver();
    await see();
    const wrong = await browser.put('/profile/email', { token: '2222-2222' });
    seen.push({ wrong: `${wrong.status} ${anonymous(wrong.text, member, addresses)}` });
    const redeemed = await browser.put('/profile/email', { token: proof });
    seen.push({ redeemed: `${redeemed.status} ${anonymous(redeemed.text, member, addresses)}` });
    wait(minuteMs);
    await see();
    return seen;
  }

  /** Sends as many mails to the owner as strangers can cause. */
  async function flood(email: string): Promise<void> {
    for (let i = 0; i < 12; i += 1) {
      for (const path of ['/reset_password', '/sessions/email']) await service.post(path, { email });
      await service.deliver();
      wait(61 * minuteMs);
    }
  }

  test('looks to the member like a change to a free address, before and after the delivery and in the pauses', async () => {
    const owners = {
      'a member': await service.member(),
      'a disabled user': await service.member(),
      'a member whose mails of the day are used up': await service.member(),
    };
    await service.service.core.auth.setDisabled(owners['a disabled user'].id, true);
    await flood(owners['a member whose mails of the day are used up'].email);
    const start = service.service.clock.now();
    const free = await story(freshEmail());
    assert.match(free[0]?.['reply'] ?? '', /^200 /);
    assert.match(free.at(-2)?.['redeemed'] ?? '', /^200 /, 'the earlier proof is valid');
    for (const [owner, { email }] of Object.entries(owners)) {
      wait(start - service.service.clock.now());
      const earlier = service.mails.filter(({ to }) => to === email).length;
      const taken = await story(email);
      for (const [i, seen] of free.entries())
        for (const [path, text] of Object.entries(seen))
          assert.deepEqual(lines(taken[i]?.[path] ?? ''), lines(text), `${owner}: ${path} in step ${i}`);
      const sent = service.mails.filter(({ to }) => to === email).slice(earlier);
      assert.ok(sent.length > 0, owner);
      assert.ok(
        sent.every(({ text }) => !text.includes('token=')),
        owner,
      );
    }
  });
});

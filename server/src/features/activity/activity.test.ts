// The activity page: what it shows of the events of an account, by day, and how it leads to older ones.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, signIn } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { asPage } from '../../../test/support/page-form.ts';
import { textOf, unescapeMarkup } from '../../../test/support/markup.ts';
import { PublicService, type Member } from '../../../test/support/public-service.ts';
import { allEvents } from '../../app/event-list.ts';
import type { AuditSource } from '../../audit/event.ts';
import { dayMs, minuteMs } from '../../kit/clock.ts';

const path = '/account/activity';
const here = '192.0.2.7';
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const stranger: AuditSource = { actor: 'anonymous', address: '198.51.100.23', device: 'curl/8' };

onEachEngine('the activity page', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  async function record(member: Member, reasons: readonly string[], source = stranger): Promise<void> {
    const { audit, database } = service.service.core;
    for (const reason of reasons) {
      const kind = allEvents.find(({ name }) => name === reason);
      const event = {
        event: kind?.vocabulary ?? 'user_updated',
        outcome: kind?.outcome ?? 'failure',
      } as const;
      const facts = { factor: 'totp', factors: ['password', 'totp'] };
      service.service.clock.advance(1000);
      await database.transaction((tx) =>
        audit.record(tx, { ...event, reason, userId: member.id, facts }, source),
      );
    }
  }

  /** The entries of a page: their texts, newest first. */
  async function entriesAt(browser: Browser, address = path): Promise<string[]> {
    const { status, text } = await browser.send({
      method: 'GET',
      path: address,
      headers: asPage,
      from: here,
    });
    assert.equal(status, 200, text);
    return [...text.matchAll(/<li[^>]*>\s*<svg class="icon"[\s\S]*?<\/li>/g)].map(([item]) => textOf(item));
  }

  const numberOf = (items: readonly string[], pattern: RegExp): number =>
    items.filter((item) => pattern.test(item)).length;

  test('says what happened, and leaves out what repeats a sign-in', async () => {
    const member = await service.member();
    const browser = new Browser(service, { 'user-agent': firefox });
    const { email, password } = member;
    await browser.send({ method: 'POST', path: '/sessions', fields: { email, password }, from: here });
    const items = await entriesAt(browser);
    assert.match(
      items[0] ?? '',
      /^Signed in with password Firefox, Linux · 192\.0\.2\.7 · this device \d\d?:\d\d/,
    );
    assert.equal(numberOf(items, /Signed in/), 2);
    assert.equal(numberOf(items, /Email address confirmed/), 1);
    assert.equal(numberOf(items, /session/i), 0);
    assert.match(items[1] ?? '', /Not you\?/, 'another device');
    assert.doesNotMatch(items[0] ?? '', /Not you\?/);
  });

  test('counts the same refusals of one client together, until something else happened', async () => {
    const member = await service.member();
    const other = { ...stranger, address: '198.51.100.24' };
    await record(member, ['wrong_password', 'wrong_password']);
    await record(member, ['wrong_password'], other);
    await record(member, ['wrong_password', 'wrong_password', 'password_changed', 'wrong_password']);
    const items = (await entriesAt(await signIn(service, member))).slice(1, 5);
    assert.match(items[0] ?? '', /^Wrong password Unknown program · 198\.51\.100\.23 Not you\?/);
    assert.match(items[1] ?? '', /^Password changed .*Not you\?/);
    assert.match(items[2] ?? '', /^4 wrong passwords .*\.23/);
    assert.match(items[3] ?? '', /^Wrong password .*\.24/);
  });

  test('adds the numbers of refusals that are recorded with one', async () => {
    const member = await service.member();
    const { audit, database } = service.service.core;
    const event = { event: 'authn_login_fail', outcome: 'failure', reason: 'wrong_password' } as const;
    for (const count of [1, 7])
      await database.transaction((tx) =>
        audit.record(tx, { ...event, userId: member.id, facts: { count } }, stranger),
      );
    assert.match((await entriesAt(await signIn(service, member)))[1] ?? '', /^8 wrong passwords/);
  });

  test('shows each declared event unless it is hidden, and those of other releases', async () => {
    const events = [...allEvents, { name: 'of_a_later_release', shownAs: 'refusal' }];
    for (let i = 0; i < events.length; i += 20) {
      const some = events.slice(i, i + 20);
      const member = await service.member();
      const browser = await signIn(service, member);
      const former = await entriesAt(browser);
      const names = some.map(({ name }) => name);
      await record(member, names);
      const added = (await entriesAt(browser)).length - former.length;
      const shown = some.filter(({ shownAs }) => shownAs !== 'hidden');
      assert.equal(added, shown.length, names.join(', '));
    }
  });

  test('has a heading for each day, and names the time zone', async () => {
    const member = await service.member();
    service.service.clock.advance(dayMs);
    const browser = await signIn(service, member);
    const { text } = await browser.get(path, asPage);
    const days = [...text.matchAll(/<h2 class="group"><time datetime="([^"T]+)/g)].map(([, day]) => day);
    const now = service.service.clock.now();
    const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
    assert.deepEqual(days, [dayOf(now), dayOf(now - dayMs)]);
    const clocks = [...text.matchAll(/data-style="clock"\s*>([^<]+)</g)].map(([, clock]) => clock);
    assert.ok(clocks.length > 2);
    for (const clock of clocks) assert.match(clock ?? '', / UTC$/);
  });

  test('leads to all older events, each one time', async () => {
    const member = await service.member();
    const reasons = Array.from({ length: 130 }, (_, i) => (i % 2 === 0 ? 'stepped_up' : 'password_changed'));
    await record(member, reasons);
    service.service.clock.advance(minuteMs);
    const browser = await signIn(service, member);
    const seen: string[] = [];
    let address: string | undefined = path;
    let turned = 0;
    while (address !== undefined) {
      seen.push(...(await entriesAt(browser, address)));
      const { text } = await browser.get(address, asPage);
      const [, older] = /href="([^"]+before=[^"]+)"/.exec(unescapeMarkup(text)) ?? [];
      assert.equal(/>Newest</.test(text), turned > 0);
      address = older;
      turned += 1;
    }
    assert.equal(turned, 3);
    assert.equal(numberOf(seen, /Confirmed it’s you|Password changed/), 130);
    assert.equal(numberOf(seen, /Account created/), 1);
  });

  test('ignores a malformed position, and shows no other account', async () => {
    const [member, other] = [await service.member(), await service.member()];
    await record(other, ['data_exported']);
    const browser = await signIn(service, member);
    const all = await entriesAt(browser);
    assert.equal(numberOf(all, /downloaded/), 0);
    for (const position of [
      '',
      'x',
      '1',
      '1.x',
      `-1.${crypto.randomUUID()}`,
      `${'9'.repeat(16)}.${crypto.randomUUID()}`,
    ])
      assert.deepEqual(
        await entriesAt(browser, `${path}?before=${encodeURIComponent(position)}`),
        all,
        position,
      );
    assert.deepEqual(await entriesAt(browser, `${path}?before=0.${crypto.randomUUID()}`), []);
  });

  test('leads to a page that says what to do about events of others', async () => {
    const browser = await signIn(service, await service.member());
    const { status, text } = await browser.get(`${path}/not-you`, asPage);
    assert.equal(status, 200);
    for (const target of ['/account/password', '/account/sessions', '/account'])
      assert.ok(text.includes(`href="${target}"`), target);
  });
});

// Tests the details of users on both engines: routes, page, rules of their values, identifiers and metadata.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Browser, signIn } from '../../../test/support/browser.ts';
import { contentsOf, rowsIn } from '../../../test/support/contents.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { hasFeature } from '../../../test/support/feature.ts';
import { unescapeMarkup } from '../../../test/support/markup.ts';
import { asPage, formIn } from '../../../test/support/page-form.ts';
import { freshEmail } from '../../../test/support/person.ts';
import { PublicService, type Member } from '../../../test/support/public-service.ts';
import { assertProblem, memberOf, type Reply } from '../../../test/support/request.ts';
import { isProblem } from '../../kit/problem.ts';
import type { NewDetails, UserDetails } from './details.ts';

const operator = { actor: 'operator' } as const;
const path = '/profile/details';

const acceptedNames: readonly (readonly [typed: string, stored: string])[] = [
  ['  Ada Lovelace ', 'Ada Lovelace'],
  ['Rene\u0301', 'René'],
  ["O'Neil <admin@example.org>", "O'Neil <admin@example.org>"],
  ['👩‍👩‍👧', '👩‍👩‍👧'],
  ['محمد \u200Fعلي', 'محمد \u200Fعلي'],
  ['x'.repeat(200), 'x'.repeat(200)],
  ['𝒳'.repeat(200), '𝒳'.repeat(200)],
];
const rejectedNames: readonly string[] = [
  'Ada\r\nSet-Cookie: a=b',
  'Ada\tLovelace',
  'Ada\u0085',
  'Ada\u2028Lovelace',
  'Ada\u202Egro.live',
  'Ada\u2066x\u2069',
  '\u200B\u2060',
  'x'.repeat(201),
  '𝒳'.repeat(201),
];
const acceptedPictures: readonly (readonly [typed: string, stored: string])[] = [
  [' https://Example.org/a b.png ', 'https://example.org/a%20b.png'],
  ['https://example.org/"><script>', 'https://example.org/%22%3E%3Cscript%3E'],
];
const rejectedPictures: readonly string[] = [
  'http://example.org/a.png',
  'javascript:alert(1)',
  'data:image/png;base64,AAAA',
  '//example.org/a.png',
  'https://user:password@example.org/a.png',
  'https://',
  `https://example.org/${'x'.repeat(2000)}`,
];

/** The name in the field of the page. */
const nameIn = ({ text }: Reply): string =>
  unescapeMarkup(/name="name"[^>]*?\svalue="([^"]*)"/.exec(text)?.[1] ?? assert.fail(text));

onEachEngine('the details of users', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const core = (): PublicService['service']['core'] => service.service.core;
  const signedIn = async (): Promise<{ member: Member; at: Browser }> => {
    const member = await service.member();
    return { member, at: await signIn(service, member) };
  };
  const change = (member: Member, given: NewDetails): Promise<UserDetails | undefined> =>
    core().details.change(member.id, given, operator);
  /** Runs work that must change nothing in the database. */
  const unchanged = async (work: () => Promise<unknown>): Promise<void> => {
    const former = await contentsOf(core().database);
    await work();
    assert.deepEqual(await contentsOf(core().database), former);
  };
  const changesOf = async ({ id }: Member): Promise<unknown[]> =>
    (await core().audit.listOf({ userId: id, at: 0, id: '', limit: 100 }))
      .filter(({ reason }) => reason === 'details_changed')
      .map(({ actor, facts }) => [actor, facts]);

  test('a user reads and changes name and picture, and GET /profile stays as the contract has it', async () => {
    const { member, at } = await signedIn();
    const { body: first } = await at.get(path);
    const subject = memberOf(first, 'subject');
    assert.match(String(subject), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    const own = { id: member.id, subject, email: member.email, email_verified: true };
    assert.deepEqual(first, { ...own, metadata: {} });
    const named = await at.put(path, { name: 'Ada', picture: 'https://example.org/ada.png' });
    const all = { ...own, name: 'Ada', picture: 'https://example.org/ada.png', metadata: {} };
    assert.deepEqual([named.status, named.body], [200, all]);
    assert.deepEqual((await at.put(path, { name: 'Ada' })).body, all, 'a missing field stays');
    assert.equal((await at.get('/profile')).text, JSON.stringify({ email: member.email }));
    await at.post('/language', { language: 'fr' });
    const { picture: _, ...rest } = all;
    const json = await at.send({ method: 'PUT', path, kind: 'json', fields: { picture: '' } });
    assert.deepEqual(json.body, { ...rest, locale: 'fr' }, 'empty text removes');
    assert.deepEqual(await changesOf(member), [
      ['user', { fields: ['name', 'picture'] }],
      ['user', { fields: ['picture'] }],
    ]);
  });

  test('without a session, nothing is read or changed', async () => {
    assertProblem(await service.send({ method: 'GET', path }), 403, 'session_required');
    assertProblem(await service.put(path, { name: 'Eve' }), 403, 'session_required');
  });

  test('names and pictures are stored in normal form, or refused with the field', async () => {
    const { at } = await signedIn();
    for (const [field, pairs] of [
      ['name', acceptedNames],
      ['picture', acceptedPictures],
    ] as const)
      for (const [typed, stored] of pairs) {
        const { status, body, text } = await at.put(path, { [field]: typed });
        assert.deepEqual([status, memberOf(body, field)], [200, stored], text);
      }
    await unchanged(async () => {
      for (const [field, texts] of [
        ['name', rejectedNames],
        ['picture', rejectedPictures],
      ] as const)
        for (const text of texts)
          assertProblem(
            await at.put(path, { [field]: text, name: field === 'name' ? text : 'Eve' }),
            400,
            'invalid_request',
            [field],
          );
    });
  });

  test('a user cannot change an identifier, the address or metadata', async () => {
    const { member, at } = await signedIn();
    const victim = await service.member();
    await change(member, { publicMetadata: { plan: 'free' } });
    await unchanged(async () => {
      const own = (await at.get(path)).body;
      for (const fields of [
        { subject: 'x', external_id: 'x', id: String(victim.id), user_id: String(victim.id) },
        { metadata: '{"plan":"pro"}', private_metadata: '{}', email: victim.email, email_verified: 'true' },
      ])
        assert.deepEqual((await at.put(path, fields)).body, own);
    });
  });

  test('the operator sets an external id, which no other user can have, and metadata of a bounded size', async () => {
    const { member, at } = await signedIn();
    const other = await service.member();
    const externalId = `auth0|${member.id} é`;
    const metadata = { plan: 'pro', roles: ['editor'], '</script>': null };
    await change(member, { externalId, publicMetadata: metadata, privateMetadata: { note: 'x' } });
    const { body } = await at.get(path);
    assert.deepEqual([memberOf(body, 'external_id'), memberOf(body, 'metadata')], [externalId, metadata]);
    assert.doesNotMatch(JSON.stringify(body), /note/, 'private metadata');
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const rejected: readonly (readonly [NewDetails, string])[] = [
      [{ externalId: 'x'.repeat(201) }, 'external_id'],
      [{ externalId: 'a\nb' }, 'external_id'],
      [{ publicMetadata: [1] }, 'metadata'],
      [{ publicMetadata: circle }, 'metadata'],
      [{ publicMetadata: { text: 'é'.repeat(4096) } }, 'metadata'],
      [{ privateMetadata: { text: 'x'.repeat(8192) } }, 'private_metadata'],
    ];
    await unchanged(async () => {
      await assert.rejects(change(other, { name: 'Eve', externalId }), {
        name: 'ValueError',
        message: 'Another user has this external id',
      });
      for (const [given, field] of rejected)
        await assert.rejects(
          change(other, { name: 'Eve', ...given }),
          (error) => isProblem(error, 'invalid_request') && error.fields[0]?.field === field,
        );
      assert.equal(await core().details.change(0, { name: 'Eve' }, operator), undefined);
    });
    const longest = { text: 'x'.repeat(8192 - '{"text":""}'.length) };
    assert.deepEqual((await change(member, { publicMetadata: longest }))?.publicMetadata, longest);
    const emptied = await change(member, { externalId: null, publicMetadata: null });
    assert.deepEqual([emptied?.externalId, emptied?.publicMetadata], [null, {}]);
    assert.deepEqual(emptied?.privateMetadata, { note: 'x' });
    assert.deepEqual(await changesOf(member), [
      ['operator', { fields: ['external_id', 'metadata', 'private_metadata'] }],
      ['operator', { fields: ['metadata'] }],
      ['operator', { fields: ['external_id', 'metadata'] }],
    ]);
  });

  test('of concurrent changes to one external id, one succeeds', async () => {
    const members = [await service.member(), await service.member(), await service.member()];
    const externalId = crypto.randomUUID();
    const outcomes = await Promise.allSettled(members.map((member) => change(member, { externalId })));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  test('a user whom an older release added gets one subject, also from two instances together', async () => {
    const other = await service.reconfigured({});
    const email = freshEmail();
    const at = service.service.clock.now();
    await core().database.execute(
      `insert into users (email, email_key, created_at, password_changed_at) values ('${email}', '${email}', ${at}, ${at})`,
    );
    const id = await service.idOf(email);
    const subjects = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        (i % 2 === 0 ? core() : other.service.core).details.subjectOf({ userId: id, subject: null }),
      ),
    );
    assert.equal(new Set(subjects).size, 1);
    assert.equal((await core().details.find(id))?.subject, subjects[0]);
    assert.match(subjects[0] ?? '', /^[\da-f-]{36}$/);
    assert.equal(await core().details.subjectOf({ userId: 0, subject: null }), undefined);
    await other.close();
  });

  test('removing a user removes the details', async () => {
    const member = await service.member();
    await change(member, { publicMetadata: { plan: 'pro' } });
    assert.equal(await core().auth.removeUser(member.id), true);
    const left = await rowsIn(core().database, 'user_metadata');
    assert.ok(left.every(({ user_id: id }) => id !== member.id));
    assert.equal(await core().details.find(member.id), undefined);
  });

  test('the page saves name and picture, shows markup as text, and says in both languages what is wrong', async () => {
    const { member, at } = await signedIn();
    const page = await at.get('/account/profile', asPage);
    assert.match(page.text, /<h1[^>]*>Profile<\/h1>/);
    const { action, fields } = formIn(page);
    const markup = '<img src=x onerror="alert(1)">{name} &amp;';
    const send = (more: Record<string, string>): Promise<Reply> => at.submit(action, { ...fields, ...more });
    const saved = await send({ name: markup, picture: 'https://example.org/ada.png' });
    assert.deepEqual([saved.status, saved.headers['location']], [303, '/account/profile?done=changed']);
    const shown = await at.get('/account/profile?done=changed', asPage);
    assert.match(shown.text, /Your profile was saved\./);
    assert.equal(nameIn(shown), markup);
    const account = await at.get('/account', asPage);
    for (const { text } of [shown, account]) {
      assert.ok(!text.includes('<img'), text);
      assert.ok(text.includes('&#60;img src&#61;x'), text);
    }
    if (hasFeature('activity'))
      assert.match((await at.get('/account/activity', asPage)).text, /Profile changed/);
    for (const [language, message] of [
      ['en', 'Enter an address that begins with https://'],
      ['fr', 'Saisissez une adresse qui commence par https://'],
    ] as const) {
      await at.post('/language', { language });
      const refused = await send({ name: 'Grace', picture: 'javascript:alert(1)' });
      assert.equal(refused.status, 400);
      assert.ok(refused.text.includes(message), refused.text);
      assert.equal(nameIn(refused), 'Grace', 'what was typed stays');
    }
    const french = (await at.get('/account/profile', asPage)).text;
    assert.match(french, /<h1[^>]*>Profil<\/h1>/);
    assert.equal((await core().details.find(member.id))?.name, markup);
    assert.equal(
      (await at.submit(action, { name: 'Eve', picture: '' })).status,
      403,
      'without the form token',
    );
  });
});

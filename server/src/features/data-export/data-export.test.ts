// What is in the copy of personal data: that of this release, and what other modules add.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useAuth } from '../../../test/support/auth.ts';
import { Browser } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { PublicService } from '../../../test/support/public-service.ts';
import { DataExports } from './data-export.ts';

const email = 'bob@example.org';
const password = 'b4l0u';
const source = { actor: 'user' } as const;

onEachEngine('a module that plugs in', (engine) => {
  const makeAuth = useAuth(engine);

  test('adds a member to the copy of personal data', async () => {
    const { auth, audit } = makeAuth();
    const dataExports = new DataExports(auth.identity.context, { ...auth.identity, audit });
    const { id } = await auth.registerUser(email, password);
    auth.identity.plugged.exports.push({
      name: 'api_keys',
      exportOf: async (_db, userId, sessionId) => [{ userId, sessionId }],
    });
    const session = await auth.getSession((await auth.logIn(email, password))?.token);
    assert.ok(session);
    const { members } = await dataExports.create(session, source);
    assert.deepEqual(Object.keys(members), [
      'metadata',
      'sessions',
      'devices',
      'second_factors',
      'tokens',
      'registrations',
      'attempts',
      'api_keys',
    ]);
    assert.deepEqual(members['api_keys'], [{ userId: id, sessionId: session.id }]);
  });
});

test('the copy names no other actor of an event', async () => {
  const service = await PublicService.start('sqlite');
  try {
    const member = await service.member();
    const browser = new Browser(service);
    await browser.post('/sessions', { email: member.email, password: member.password });
    const { audit, database } = service.service.core;
    const event = { event: 'authn_login_fail', outcome: 'failure', reason: 'wrong_password' } as const;
    for (const actorId of [String(member.id), '4711'])
      await database.transaction((tx) =>
        audit.record(tx, { ...event, userId: member.id }, { actor: 'user', actorId }),
      );
    const { text } = await browser.get('/profile/export');
    assert.match(text, new RegExp(`"actor_id":"${member.id}"`));
    assert.doesNotMatch(text, /4711/);
  } finally {
    await service.close();
  }
});

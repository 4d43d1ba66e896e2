// Tests the routes that list, end and elevate sessions.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { cookieOf, PublicService, sessionCookie } from '../../../test/support/public-service.ts';
import { assertProblem, memberOf } from '../../../test/support/request.ts';
import { dayMs, minuteMs } from '../../kit/clock.ts';

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

onEachEngine('the routes of sessions', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  test('list the sessions of a user, each with its device, instants and factors', async () => {
    const { email, password, sessionId } = await service.member();
    const { clock } = service.service;
    const instant = (ms: number): string => new Date(clock.now() + ms).toISOString();
    clock.advance(minuteMs);
    const browser = new Browser(service, { 'user-agent': firefox });
    const from = '192.0.2.7';
    await browser.send({ method: 'POST', path: '/sessions', fields: { email, password }, from });
    const [, first] = await service.service.core.sessions.list(await service.idOf(email), 2);
    assert.match(first?.address ?? '', /^10\./);
    const factors = (ms: number): object => ({
      factors: [{ factor: 'password', auth_time: instant(ms) }],
      amr: ['pwd'],
    });
    assert.deepEqual((await browser.get('/sessions')).body, {
      sessions: [
        {
          id: browser.sessionId?.slice(0, 36),
          device: 'Firefox, Linux',
          address: from,
          created_at: instant(0),
          last_seen_at: instant(0),
          expires_at: instant(30 * dayMs),
          current: true,
          ...factors(0),
        },
        {
          id: sessionId.slice(0, 36),
          address: first?.address,
          created_at: instant(-minuteMs),
          last_seen_at: instant(-minuteMs),
          expires_at: instant(30 * dayMs - minuteMs),
          current: false,
          ...factors(-minuteMs),
        },
      ],
    });
  });

  test('end one session, and answer the same for an unknown one', async () => {
    const member = await service.member();
    const browser = new Browser(service);
    await browser.post('/sessions', { email: member.email, password: member.password });
    const remove = (id: string) => browser.send({ method: 'DELETE', path: `/sessions/${id}` });
    const ended = await remove(member.sessionId.slice(0, 36));
    assert.deepEqual([ended.status, ended.body], [200, { message: 'session ended' }]);
    assert.equal(await service.profile(member.sessionId), 403);
    for (const id of [member.sessionId.slice(0, 36), 'nonsense'])
      assertProblem(await remove(id), 404, 'not_found');
    assertProblem(await remove('x'.repeat(301)), 400, 'invalid_request');
    assert.equal((await browser.get('/profile')).status, 200);
  });

  test('elevate a session, which gets another cookie', async () => {
    const { email, password, sessionId } = await service.member();
    const give = (factor: string, proof: string) =>
      service.post('/sessions/step_up', { factor, proof }, { cookie: `${sessionCookie}=${sessionId}` });
    for (const [factor, proof, field] of [
      ['Password', password, 'factor'],
      ['password ', password, 'factor'],
      ['p'.repeat(33), password, 'factor'],
      ['', password, 'factor'],
      ['password', '', 'proof'],
      ['password', 'a\0b', 'proof'],
      ['password', 'x'.repeat(12_001), 'proof'],
    ] as const)
      assertProblem(await give(factor, proof), 400, 'invalid_request', [field]);
    const reply = await give('password', password);
    assert.deepEqual([reply.status, reply.body], [200, { email, message: 'stepped up' }]);
    const elevated = cookieOf(reply, sessionCookie) ?? '';
    assert.deepEqual([await service.profile(elevated), await service.profile(sessionId)], [200, 403]);
    assert.equal(reply.cookies.length, 1);
    assert.equal(memberOf(reply.body, 'factors'), undefined);
  });
});

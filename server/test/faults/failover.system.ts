// A PostgreSQL primary ends, and its synchronous standby takes its place, under sign-ins: behind an address that is
// switched to the standby, and with both servers in DATABASE_URL.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  installations,
  onServer,
  startPostgresPair,
  type Installation,
  type PostgresPair,
} from '../support/postgres-servers.ts';
import { temporaryFolder, type Owner } from '../support/running-service.ts';
import { eventually } from '../support/eventually.ts';
import { cheapMain, startService, type ServiceProcess } from '../support/service.ts';
import { tcpSwitch } from '../support/tcp-switch.ts';
import { sendRequest } from './history.ts';

const perSecond = 20;
const password = 'signing in';
const people = Array.from({ length: 20 }, (_, i) => `user${i}@example.org`);

/** Signs users in at a steady rate, whether or not it is answered. */
class SignIns {
  /** Cookies of acknowledged sign-ins. */
  readonly cookies: string[] = [];
  readonly failures: string[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(baseUrl: string) {
    this.#timer = setInterval(() => this.#running.push(this.#signIn(baseUrl)), 1000 / perSecond).unref();
  }

  async #signIn(baseUrl: string): Promise<void> {
    const email = people[this.#sent++ % people.length] ?? '';
    const reply = await sendRequest(baseUrl, 'POST', '/sessions', { fields: { email, password } });
    if (reply?.status === 200) this.cookies.push(reply.cookie ?? '');
    else this.failures.push(`${reply?.status} ${reply?.text}`);
  }

  /** Resolves when this many are acknowledged. */
  async acknowledged(count: number): Promise<void> {
    await eventually(
      () => `${count} sign-ins, of which there are ${this.cookies.length}: ${this.failures.join('\n')}`,
      () => this.cookies.length >= count,
    );
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }
}

/** Starts the service with accounts. */
async function startOn(t: Owner, url: string): Promise<ServiceProcess> {
  const environment = { DATABASE_URL: url, DATA_DIR: await temporaryFolder(t), HASH_THREADS: '1' };
  const service = await startService(environment, cheapMain);
  t.after(async () => void (await service.stop('SIGKILL')));
  for (const email of people) {
    const reply = await sendRequest(service.baseUrl, 'POST', '/users', { fields: { email, password } });
    assert.equal(reply?.status, 200, reply?.text);
  }
  return service;
}

const ready = async ({ baseUrl }: ServiceProcess): Promise<string> => {
  const reply = await sendRequest(baseUrl, 'GET', '/health/ready');
  const { code = 'ready' } = JSON.parse(reply?.text ?? '{}') as { code?: string };
  return `${reply?.status} ${code}`;
};

async function becomesReady(service: ServiceProcess): Promise<number> {
  const begun = performance.now();
  let times = 0;
  await eventually(
    () => `a service that is ready three times in a row:\n${service.lines.join('\n')}`,
    async () => {
      times = (await ready(service)).startsWith('200') ? times + 1 : 0;
      return times === 3;
    },
  );
  return performance.now() - begun;
}

/** Ends the primary under sign-ins, and promotes the standby. @param change leads connections to the standby. */
async function failOver(
  { primary, promote }: PostgresPair,
  service: ServiceProcess,
  change: () => void = () => {},
): Promise<string> {
  const earlier = new SignIns(service.baseUrl);
  await earlier.acknowledged(2 * perSecond);
  await primary.kill();
  await pause(500);
  assert.match(await ready(service), /^503 /);
  await promote();
  change();
  const tookMs = await becomesReady(service);
  await earlier.stop();
  const later = new SignIns(service.baseUrl);
  await later.acknowledged(2 * perSecond);
  await later.stop();
  for (const failure of earlier.failures) assert.match(failure, /^503 /);
  assert.deepEqual(later.failures, [], 'a broken connection is still used');
  for (const cookie of [...earlier.cookies, ...later.cookies])
    assert.equal((await sendRequest(service.baseUrl, 'GET', '/profile', { cookie }))?.status, 200);
  return `ready ${Math.round(tookMs)} ms after the promotion; ${earlier.cookies.length} sign-ins were acknowledged around it and ${earlier.failures.length} were not`;
}

/** Tests on one pair of servers behind one address: those of a server that accepts no changes, then the fail-over. */
function declareBehindOneAddress({ version, binaries, skip }: Installation): void {
  describe('behind one address', { skip }, () => {
    const ends: (() => Promise<void>)[] = [];
    let pair: PostgresPair;
    let address: Awaited<ReturnType<typeof tcpSwitch>>;
    let service: ServiceProcess;
    before(async () => {
      const owner: Owner = { after: (end) => void ends.push(end) };
      pair = await startPostgresPair(owner, binaries);
      address = await tcpSwitch(pair.primary.port);
      owner.after(() => address.close());
      service = await startOn(owner, `postgres://postgres@127.0.0.1:${address.port}/postgres`);
    });
    after(async () => {
      for (const end of ends.toReversed()) await end();
    });

    test(`PostgreSQL ${version} that accepts no changes is not ready, and is used again when it does`, async () => {
      const { primary, standby } = pair;
      const signIn = (): ReturnType<typeof sendRequest> =>
        sendRequest(service.baseUrl, 'POST', '/sessions', { fields: { email: people[0] ?? '', password } });
      const signedIn = await signIn();
      const profile = (): ReturnType<typeof sendRequest> =>
        sendRequest(service.baseUrl, 'GET', '/profile', { cookie: signedIn?.cookie ?? '' });
      assert.equal(await ready(service), '200 ready');

      address.lead(standby.port);
      assert.equal(await ready(service), '503 database_read_only');
      assert.equal((await signIn())?.status, 503);
      assert.equal((await profile())?.status, 503, 'the data of a standby may be old');
      await eventually('the cause in the log', () =>
        service.lines.some((line) => line.includes('the server is a standby')),
      );
      address.lead(primary.port);
      await becomesReady(service);

      const setReadOnly = async (value: 'on' | 'off'): Promise<void> => {
        await onServer(primary.url, `alter system set default_transaction_read_only = ${value}`);
        await onServer(primary.url, 'select pg_reload_conf()');
        while (
          (await onServer(primary.url, 'show default_transaction_read_only'))[0]?.[
            'default_transaction_read_only'
          ] !== value
        )
          await pause(20);
      };
      await setReadOnly('on');
      await pause(200);
      assert.equal(await ready(service), '503 database_read_only');
      assert.equal((await profile())?.status, 200, 'what this server has is current');
      assert.equal((await signIn())?.status, 503);
      await setReadOnly('off');
      await becomesReady(service);
      for (let i = 0; i < 20; i += 1)
        assert.equal((await signIn())?.status, 200, 'a connection is still read-only');
    });

    test(`a fail-over of PostgreSQL ${version}, behind one address, loses nothing that was acknowledged`, async (t) => {
      t.diagnostic(await failOver(pair, service, () => address.lead(pair.standby.port)));
    });
  });
}

describe('PostgreSQL with a standby', () => {
  for (const installation of installations) {
    const { version, binaries, skip } = installation;
    describe(`version ${version}`, () => {
      declareBehindOneAddress(installation);

      test(
        `a fail-over of PostgreSQL ${version}, named in DATABASE_URL, loses nothing that was acknowledged`,
        { skip },
        async (t) => {
          const own = await startPostgresPair(t, binaries);
          const servers = `127.0.0.1:${own.primary.port},127.0.0.1:${own.standby.port}`;
          const url = `postgres://postgres@${servers}/postgres?target_session_attrs=read-write`;
          t.diagnostic(await failOver(own, await startOn(t, url)));
        },
      );
    });
  }
});

// Bounds what strangers can make the service store: requests at the limit of one address, of a /56 and of all, for some
// minutes of a moved clock, and from them the bytes of a day that docs/reference/limits.md states.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../src/kit/clock.ts';
import { sqlitePath } from '../src/db/open-database.ts';
import { createToken } from '../src/kit/secret.ts';
import { requestKind } from '../src/identity/cookie-kinds.ts';
import { PublicService } from './support/public-service.ts';
import { freshEmail } from './support/person.ts';
import type { ContractRequest, Fields } from './support/request.ts';

const minutes = 8;
const from = '203.0.113.7';
/** Units per minute of one address, and of all addresses for requests that hash, on two threads. */
const units = 60;
const globalUnits = 6000;
/** Networks whose refusals are collected for themselves (server/src/audit/refusals.ts). */
const maxNetworks = 200;
/** Bytes of an audit event in SQLite, with its entries in the indices. */
const eventBytes = 500;

interface Kind {
  /** As in the table of the guide. */
  readonly name: string;
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly cost: number;
  readonly fields: () => Fields;
}

const password = 'nine herons on a bicycle';
const kinds: readonly Kind[] = [
  {
    name: 'wrong logins',
    method: 'POST',
    path: '/sessions',
    cost: 3,
    fields: () => ({ email: freshEmail(), password }),
  },
  {
    name: 'wrong codes',
    method: 'PUT',
    path: '/reset_password',
    cost: 3,
    fields: () => ({ email: freshEmail(), reset_token: 'ABCD-EFGH', new_password: password }),
  },
  {
    name: 'requests for emails to unknown addresses',
    method: 'POST',
    path: '/reset_password',
    cost: 5,
    fields: () => ({ email: freshEmail() }),
  },
  {
    name: 'registrations',
    method: 'POST',
    path: '/users',
    cost: 5,
    fields: () => ({ email: freshEmail(), password }),
  },
];

/** Megabytes a day that the guide states, by the name of the kind: of one address, of a /56, of all addresses. */
function statedOf(name: string): [address: number, site: number, all: number] {
  const page = readFileSync(new URL('../../docs/reference/limits.md', import.meta.url), 'utf8');
  const cells = page
    .split('\n')
    .find((line) => line.startsWith(`| ${name} `))
    ?.split('|')
    .map((cell) => Number(cell.replaceAll(',', '').trim()));
  const [, , address = 0, site = 0, all = 0] = cells ?? assert.fail(`the guide does not state ${name}`);
  return [address, site, all];
}

let service: PublicService;
before(async () => {
  service = await PublicService.start('sqlite', {
    ADDRESS_LIMIT_PER_MINUTE: '',
    GLOBAL_LIMIT_PER_MINUTE: String(globalUnits),
    HASH_THREADS: '2',
  });
});
after(() => service.close());

/** Bytes of the database without free pages. */
function storedBytes(): number {
  using database = new DatabaseSync(sqlitePath(service.service.url) ?? assert.fail());
  database.exec('vacuum');
  const { bytes } = database
    .prepare('select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()')
    .get() as { bytes: number }; // the columns of the statement
  return bytes;
}

interface Stored {
  readonly requests: number;
  readonly bytes: number;
  readonly events: number;
}

/** Sends as many requests from one address as it may for some minutes; returns what a minute stores. */
async function minuteOf({ method, path, cost, fields }: Kind): Promise<Stored> {
  const { audit } = service.service.core;
  const sealed = async (): Promise<number> => {
    await audit.recordRefusals('all');
    await audit.seal();
    return (await audit.verify()).sealed;
  };
  const [events, bytes] = [await sealed(), storedBytes()];
  let requests = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    service.service.clock.advance(minuteMs);
    for (let sent = 0; sent <= units / cost; sent += 1) {
      const cookie = `__Host-request=${createToken(requestKind).token}`;
      const request: ContractRequest = { method, path, fields: fields(), headers: { cookie }, from };
      if ((await service.send(request)).status !== 429) requests += 1;
    }
    await audit.seal();
  }
  const perMinute = (total: number): number => total / minutes;
  return {
    requests: perMinute(requests),
    events: perMinute((await sealed()) - events),
    bytes: perMinute(storedBytes() - bytes),
  };
}

const megabytesADay = (bytes: number): number => (bytes * (dayMs / minuteMs)) / 1e6;

for (const kind of kinds)
  test(`${kind.name} at the limits store no more in a day than the guide states`, async (t) => {
    const [ofAddress, ofSite, ofAll] = statedOf(kind.name);
    const { bytes, events, requests } = await minuteOf(kind);
    t.diagnostic(`${requests} requests a minute, ${events} events, ${Math.round(bytes)} bytes`);
    assert.equal(requests, units / kind.cost);
    assert.ok(megabytesADay(bytes) <= ofAddress, `${megabytesADay(bytes)} MB`);
    assert.ok(4 * megabytesADay(bytes) <= ofSite, 'a /56 has four times the units');
    // Of all addresses: what a request stores besides its event, and the events, of which refusals are collected.
    const isCollected = events < requests / 4;
    const ownBytes = bytes - events * eventBytes;
    const allRequests = globalUnits / kind.cost;
    const allEvents = isCollected ? 2 * maxNetworks : events * (allRequests / requests);
    const all = ownBytes * (allRequests / requests) + allEvents * eventBytes;
    assert.ok(megabytesADay(all) <= ofAll, `${megabytesADay(all)} MB of all`);
  });

test('refusals of one address write two events a minute at most', async () => {
  for (const kind of kinds.slice(0, 2)) {
    const { events } = await minuteOf(kind);
    assert.ok(events <= 2, `${kind.name}: ${events}`);
  }
});

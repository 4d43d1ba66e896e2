import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anyCharacter } from '../../../test/support/any-character.ts';
import { ClientAddress, isPrivateAddress, type Client } from './client-address.ts';

/** Returns the client of a request from a peer with the given headers. */
function clientOf(
  trusted: readonly string[],
  peer: string | undefined,
  headers: Record<string, string>,
): Client {
  return new ClientAddress(trusted).of({ socket: { remoteAddress: peer }, headers });
}

const spoofed: readonly Record<string, string>[] = [
  { 'x-forwarded-for': '198.51.100.1' },
  { 'x-forwarded-for': '127.0.0.1, 10.0.0.1' },
  { 'x-real-ip': '198.51.100.1' },
  { forwarded: 'for=198.51.100.1' },
  { 'cf-connecting-ip': '198.51.100.1' },
  { 'true-client-ip': '198.51.100.1' },
  { 'x-client-ip': '198.51.100.1' },
  { 'x-forwarded-for': 'a' },
];

describe('the client address without trusted proxies', () => {
  test('ignores all headers (CVE-2023-36456)', () => {
    for (const headers of spoofed) assert.equal(clientOf([], '203.0.113.7', headers).key, '203.0.113.7');
  });
});

describe('the client address with trusted proxies', () => {
  const trusted = ['10.0.0.0/8', '2001:db8:1::/48'];

  test('uses a header only from a trusted proxy', () => {
    for (const headers of spoofed) assert.equal(clientOf(trusted, '203.0.113.7', headers).key, '203.0.113.7');
  });

  test('trusts both addresses of localhost if one is named, because a proxy may use either', () => {
    const header = { 'x-forwarded-for': '203.0.113.7' };
    for (const named of ['127.0.0.1/32', '127.0.0.0/8', '::1/128'])
      for (const peer of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
        assert.equal(clientOf([named], peer, header).address, '203.0.113.7', `${named} ${peer}`);
    for (const peer of ['127.0.0.1', '::1']) assert.equal(clientOf(trusted, peer, header).address, peer);
    assert.equal(clientOf(['127.0.0.1/32'], '127.0.0.2', header).address, '127.0.0.2');
  });

  const walks: Readonly<Record<string, { peer: string; header: string; client: string }>> = {
    'is the address that the nearest proxy appended': {
      peer: '10.0.0.1',
      header: '203.0.113.7',
      client: '203.0.113.7',
    },
    'ignores entries to the left of the client, which the client may have invented': {
      peer: '10.0.0.1',
      header: '127.0.0.1, 8.8.8.8, 203.0.113.7',
      client: '203.0.113.7',
    },
    'skips further trusted proxies': {
      peer: '10.0.0.1',
      header: '203.0.113.7, 10.1.1.1, 10.2.2.2',
      client: '203.0.113.7',
    },
    'accepts a proxy with an IPv6 address': {
      peer: '2001:db8:1::9',
      header: '203.0.113.7',
      client: '203.0.113.7',
    },
    'accepts a proxy with an IPv4-mapped address': {
      peer: '::ffff:10.0.0.1',
      header: '203.0.113.7',
      client: '203.0.113.7',
    },
    'is that of the proxy if the proxy sent the request itself': {
      peer: '10.0.0.1',
      header: '10.3.3.3, 10.2.2.2',
      client: '10.3.3.3',
    },
    'ignores white space and ports': {
      peer: '10.0.0.1',
      header: ' [2001:db8:2::1]:443 ,\t10.2.2.2:1234 ',
      client: '2001:db8:2::1',
    },
    'ignores the port of an IPv4 address': {
      peer: '10.0.0.1',
      header: '203.0.113.7:5555',
      client: '203.0.113.7',
    },
  };
  for (const [title, { peer, header, client }] of Object.entries(walks)) {
    test(title, () => assert.equal(clientOf(trusted, peer, { 'x-forwarded-for': header }).address, client));
  }

  test('is the last valid hop before a malformed entry (CVE-2024-47070)', () => {
    for (const garbage of [
      'a',
      '',
      ',',
      ',,,',
      'unknown',
      '_hidden',
      '999.1.1.1',
      '1.2.3',
      '0x7f.1',
      '2130706433',
      '[::1',
      '::1]:80',
      'for=1.2.3.4',
      '1.2.3.4:port',
      '１.2.3.4',
      '%',
      'x'.repeat(10_000),
      ','.repeat(10_000),
    ]) {
      const { address, key } = clientOf(trusted, '10.0.0.1', { 'x-forwarded-for': garbage });
      assert.deepEqual([address, key], ['10.0.0.1', '10.0.0.1'], garbage.slice(0, 20));
      const behind = clientOf(trusted, '10.0.0.1', {
        'x-forwarded-for': `203.0.113.7, ${garbage}, 10.2.2.2`,
      });
      assert.equal(behind.address, '10.2.2.2', garbage.slice(0, 20));
    }
  });

  test('is empty for a disconnected peer; all of them share one key', () => {
    assert.deepEqual(clientOf(trusted, undefined, { 'x-forwarded-for': '1.2.3.4' }), {
      address: '',
      key: '',
    });
  });
});

const keyOf = (address: string): string => clientOf([], address, {}).key;

describe('the rate-limit key of a client', () => {
  test('is the same for all spellings of an address (CVE-2026-45364)', () => {
    const spellings = [
      '127.0.0.1',
      '::ffff:127.0.0.1',
      '::FFFF:127.0.0.1',
      '::ffff:7f00:1',
      '0:0:0:0:0:FFFF:7f00:0001',
    ];
    assert.deepEqual(new Set(spellings.map(keyOf)), new Set(['127.0.0.1']));
  });

  test('is the same within the /64 of an IPv6 subscriber, and different for the next', () => {
    const same = [
      '2001:db8::1',
      '2001:DB8:0:0::',
      '2001:0db8:0000:0000:ffff:ffff:ffff:ffff',
      '2001:db8::1%eth0',
    ];
    assert.deepEqual(new Set(same.map(keyOf)), new Set(['2001:db8:0:0::/64']));
    assert.notEqual(keyOf('2001:db8:0:1::1'), keyOf('2001:db8::1'));
  });

  test('is different for each IPv4 address', () => {
    assert.equal(new Set(['192.0.2.1', '192.0.2.2', '192.0.3.1'].map(keyOf)).size, 3);
  });
});

describe('an address with a zone (RFC 4007 §11)', () => {
  const zones = [
    'eth0',
    'br-lan',
    'eth0.100',
    '25eth0',
    '25br-lan',
    'br_lan',
    'eth0@if5',
    '',
    '%',
    'ü',
    '1:2',
  ];

  test('is the address without it, as a peer and as an entry of a header', () => {
    for (const zone of zones) {
      const client = { address: 'fe80::1', key: 'fe80:0:0:0::/64' };
      assert.deepEqual(clientOf([], `fe80::1%${zone}`, {}), client, zone);
      const header = { 'x-forwarded-for': `fe80::1%${zone}` };
      assert.deepEqual(clientOf(['10.0.0.0/8'], '10.0.0.1', header), client, zone);
      assert.equal(isPrivateAddress(`fe80::1%${zone}`), true, zone);
      const trusted = clientOf(['fe80::/10'], `fe80::2%${zone}`, { 'x-forwarded-for': '203.0.113.7' });
      assert.equal(trusted.address, '203.0.113.7', zone);
    }
  });

  test('is no address if it is an IPv4 address or nothing else', () => {
    for (const text of ['10.0.0.1%eth0', '%eth0', '%']) {
      assert.deepEqual(clientOf([], text, {}), { address: '', key: '' });
      assert.equal(isPrivateAddress(text), false);
    }
  });
});

test('no peer and no header makes the client address throw', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '%',
      ':',
      '::',
      '.',
      '[',
      ']',
      ',',
      '/',
      'fe80::1',
      '::ffff:',
      '1.2.3.4',
      '64:ff9b::',
      '-',
      '25',
    ),
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: anyCharacter, maxLength: 6 }),
  );
  const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const canonical = /^(?:|[\d.]+|[\da-f:]+)$/;
  fc.assert(
    fc.property(text, text, (peer, header) => {
      isPrivateAddress(peer);
      for (const trusted of [[], ['0.0.0.0/1', '::/1', 'fe80::/10']]) {
        const { address, key } = clientOf(trusted, peer, { 'x-forwarded-for': header });
        assert.match(address, canonical);
        assert.equal(clientOf([], address, {}).key, key);
      }
    }),
    { numRuns: 2000 },
  );
});

test('isPrivateAddress accepts addresses that no client on the internet has', () => {
  for (const address of [
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '127.0.0.1',
    '::1',
    'fd00::1',
    'fe80::1',
    '100.64.0.1',
    '::ffff:10.0.0.1',
  ]) {
    assert.equal(isPrivateAddress(address), true, address);
  }
  for (const address of ['8.8.8.8', '2a00:1450::1', '::ffff:8.8.8.8', '', 'a'])
    assert.equal(isPrivateAddress(address), false, address);
});

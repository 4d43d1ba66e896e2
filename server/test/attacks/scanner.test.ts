// Mail scanners open every link before its reader does: some send HEAD, some load the page, some run its scripts in a
// browser (scanner.system.ts). As long as they do not press the button, nothing changes and the token stays valid.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { asPage } from '../support/page-form.ts';
import type { ContractRequest } from '../support/request.ts';
import { openScanStage, type ScanStage } from './scan-stage.ts';

/** Mail gateways, previews of messengers, crawlers, and clients without a name or with that of a browser. */
const agents: readonly string[] = [
  'Mozilla/5.0 (compatible; Barracuda Sentinel (EE))',
  'Microsoft Office Existence Discovery',
  'SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com',
  'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'WhatsApp/2.23.20.0',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'python-requests/2.32.3',
  '',
];

describe('a link that scanners have opened', () => {
  let stage: ScanStage;
  before(async () => {
    stage = await openScanStage();
  });
  after(() => stage.service.close());

  /** Requests the link as each client in the list, each request from an address of its own. */
  async function scanByProgram(path: string): Promise<void> {
    const ask = async (method: ContractRequest['method'], headers: ContractRequest['headers'] = {}) => {
      const { status, cookies, headers: said } = await stage.service.send({ method, path, headers });
      assert.deepEqual([cookies, said['location'], said['refresh']], [[], undefined, undefined]);
      return status;
    };
    for (const agent of agents) {
      const headers = { 'user-agent': agent };
      const first = await ask('HEAD', { ...headers, ...asPage });
      assert.ok(first < 500, `HEAD is answered with ${first}`);
      assert.ok((await ask('OPTIONS', headers)) < 500);
      for (let i = 0; i < 10; i += 1) assert.equal(await ask('GET', { ...headers, ...asPage }), 200);
      assert.equal(await ask('GET', { ...headers, accept: '*/*' }), 200);
      assert.equal(await ask('GET', { ...headers, ...asPage, 'sec-purpose': 'prefetch;prerender' }), 200);
    }
  }

  test('stays valid after programs requested it a hundred times from different addresses, of each kind', async () => {
    for (const [kind, mail] of stage.mailed) {
      try {
        const one = await mail();
        await stage.assertInert(() => scanByProgram(one.path));
        await one.use();
      } catch (error) {
        throw new Error(`${kind}: ${String(error)}`, { cause: error });
      }
    }
  });

  test('covers every kind of token', () => {
    const kinds = stage.service.service.core.auth.identity.tokens.kinds.map(({ kind }) => kind);
    const sent = kinds.filter((kind) => kind !== 'factor_undo' || stage.mailed.some(([one]) => one === kind));
    assert.deepEqual(stage.mailed.map(([kind]) => kind).toSorted(), sent.toSorted());
  });
});

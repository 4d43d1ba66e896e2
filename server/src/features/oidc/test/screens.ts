// The pages of the provider in each state, in a browser whose user is signed in.
import type { DrawStage } from '../../../../test/support/kit.ts';
import { deviceGrant, type NewClient } from '../client/client.ts';
import { addClient } from '../client/store.ts';
import { clientDefaults } from './client-defaults.ts';

const callback = 'https://photos.example.org/callback';

function client(id: string, name: string, given: Partial<NewClient> = {}): NewClient {
  return { ...clientDefaults, id, name, isFirstParty: false, redirectUris: [callback], ...given };
}

/** Shows each page; the last one is again a page of the account. */
export async function drawScreens({ service, origin, page, draw, allow }: DrawStage): Promise<void> {
  const now = service.clock.now();
  const clients = [
    client('photos', 'Holiday Photos', { initiateLoginUri: 'https://photos.example.org/login' }),
    client('wiki', 'Wiki', { isFirstParty: true }),
    client('vault', 'Vault', { access: { emailDomains: ['elsewhere.example'], users: [] } }),
    client('pad', 'Pad', {
      kind: 'native',
      authMethod: 'none',
      redirectUris: ['com.example.pad:/callback'],
      scopes: [...clientDefaults.scopes, 'read', 'write'],
    }),
    client('tv', 'Television', {
      kind: 'native',
      authMethod: 'none',
      grantTypes: [deviceGrant],
      redirectUris: [],
    }),
  ];
  await service.core.database.transaction(async (tx) => {
    for (const one of clients) await addClient(tx, one, { managedBy: null, now });
  });
  const addressFor = (id: string, more: Readonly<Record<string, string>> = {}): string => {
    const query = new URLSearchParams({
      client_id: id,
      response_type: 'code',
      redirect_uri: id === 'pad' ? 'com.example.pad:/callback' : callback,
      scope: 'openid email profile',
      code_challenge: 'a'.repeat(43),
      code_challenge_method: 'S256',
      state: 'x',
      ...more,
    });
    return `${origin}/oauth/authorize?${query.toString()}`;
  };
  const authorize = async (...request: Parameters<typeof addressFor>): Promise<void> =>
    void (await page.goto(addressFor(...request)));

  await page.goto(`${origin}/account/applications`);
  await draw('applications-none');
  await authorize('photos');
  await draw('consent');
  await authorize('pad', { scope: 'openid email profile offline_access', prompt: 'consent' });
  await draw('consent-many');
  await authorize('wiki', { prompt: 'select_account' });
  await draw('continue-as');
  await authorize('vault');
  await draw('no-access');
  await authorize('photos', { redirect_uri: 'https://elsewhere.example.org/' });
  await draw('request-refused');
  // The application answers nothing.
  allow(new URL(callback).origin);
  await page.route('https://photos.example.org/**', (route) =>
    route.fulfill({ status: 200, body: 'Photos' }),
  );
  await authorize('photos');
  const asked = page.url();
  await page.click('button[value=allow]');
  await page.waitForURL(`${callback}*`);
  await page.goto(asked);
  await draw('request-ended');
  await page.request.get(addressFor('wiki'), { maxRedirects: 0 });
  await page.goto(`${origin}/account/applications`);
  await draw('applications');
  await drawDevice({ origin, page, draw });
  await page.goto(`${origin}/oauth/end-session?client_id=photos`);
  await draw('application-sign-out');
  await page.goto(`${origin}/account`);
}

async function drawDevice({
  origin,
  page,
  draw,
}: Pick<DrawStage, 'origin' | 'page' | 'draw'>): Promise<void> {
  const request = async (): Promise<string> => {
    const body = new URLSearchParams({ client_id: 'tv', scope: 'openid email' });
    const response = await fetch(`${origin}/oauth/device-authorization`, { method: 'POST', body });
    return String(((await response.json()) as Record<string, unknown>)['user_code']);
  };
  const code = await request();
  await page.goto(`${origin}/device?user_code=${code}`);
  await draw('device');
  await page.fill('#user_code', 'BBBB-BBBB');
  await page.click('main form button');
  await draw('device-refused');
  await page.fill('#user_code', code);
  await page.click('main form button');
  await draw('device-question');
  await page.click('button[value=allow]');
  await draw('device-allowed');
}

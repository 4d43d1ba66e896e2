// Signing in and out at an application of another origin in a real browser, under the strict policy of our pages: no form
// may redirect to another origin, and no page runs a script of its own but that of `form_post`.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { perform, story, type Story } from '../../../../test/pages/story.ts';
import { freshEmail } from '../../../../test/support/person.ts';
import { Venue, goodPassword, type Site, type Visitor } from '../../../../test/support/visitor.ts';
import { addClient } from '../client/store.ts';
import { clientDefaults } from './client-defaults.ts';

/** An application at 127.0.0.1, which is another site than localhost. It shows what it receives. */
class Application {
  readonly #server: Server;
  readonly origin: string;

  private constructor(server: Server) {
    this.#server = server;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(): Promise<Application> {
    const server = createServer((request, response) => {
      const { port } = server.address() as AddressInfo;
      const show = (body: string): void => {
        const { pathname, search } = new URL(request.url ?? '/', 'http://path.invalid');
        const fields = new URLSearchParams(request.method === 'POST' ? body : search);
        response.setHeader('content-type', 'text/html');
        // A page of the application begins each request, so that the browser comes from another site.
        if (pathname === '/go') response.end(goPage(fields));
        // As applications that send people on to another address of theirs.
        else if (pathname === '/elsewhere')
          response
            .writeHead(303, { location: `http://localhost:${port}/arrived?${[...fields.keys()].join('&')}` })
            .end();
        else response.end(`<title>x</title><p>${request.method} ${[...fields.keys()].join(' ')}`);
      };
      text(request).then(show, () => response.destroy());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Application(server);
  }

  async register(site: Site): Promise<void> {
    const client = {
      ...clientDefaults,
      id: 'plans',
      name: 'Plans',
      isFirstParty: false,
      redirectUris: [`${this.origin}/callback`, `${this.origin}/elsewhere`],
      postLogoutRedirectUris: [`${this.origin}/out`],
    };
    const now = site.service.clock.now();
    await site.service.core.database.transaction((tx) => addClient(tx, client, { managedBy: null, now }));
  }

  /** Sends the browser to a path of the service, from a page of the application. */
  async send(
    at: Visitor,
    path: string,
    fields: Readonly<Record<string, string>>,
    method = 'get',
  ): Promise<void> {
    const query = new URLSearchParams({
      ...fields,
      'the-method': method,
      'the-action': at.site.origin + path,
    });
    await at.page.goto(`${this.origin}/go?${query.toString()}`);
    await at.page.click('button');
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

function goPage(fields: URLSearchParams): string {
  const [method, action] = [fields.get('the-method'), fields.get('the-action')];
  const inputs = [...fields]
    .filter(([name]) => !name.startsWith('the-'))
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
  return `<title>x</title><form method="${method}" action="${action}">${inputs.join('')}<button>Go</button></form>`;
}

/** A story with the application and a person who has an account. */
function atApplication(
  title: string,
  run: (scene: { app: Application; at: Visitor; email: string }) => Promise<void>,
  options: { readonly javaScriptEnabled?: boolean } = {},
): Story {
  return story(title, {}, async ({ site, visitor }) => {
    const app = await Application.open();
    try {
      await app.register(site);
      const email = freshEmail();
      const at = await visitor(options);
      at.allow(app.origin);
      await at.signUp(email);
      await run({ app, at, email });
    } finally {
      await app.close();
    }
  });
}

const request = (app: Application, more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  client_id: 'plans',
  response_type: 'code',
  redirect_uri: `${app.origin}/callback`,
  scope: 'openid email',
  code_challenge: 'a'.repeat(43),
  code_challenge_method: 'S256',
  state: 'the state',
  ...more,
});

/** Waits until the application shows what it has received. */
async function arrives(at: Visitor, app: Application, path: string): Promise<string> {
  await at.page.waitForURL(`${app.origin}${path}*`);
  return (await at.page.locator('p').textContent()) ?? '';
}

async function signIn(at: Visitor, email: string): Promise<void> {
  await at.type({ email, password: goodPassword });
  await at.press('page.sign_in.act');
}

const stories: readonly Story[] = [
  ...[true, false].map((javaScriptEnabled) =>
    atApplication(
      `a form of the application, the sign-in and the consent lead to the application, ${javaScriptEnabled ? 'with' : 'without'} scripts`,
      async ({ app, at, email }) => {
        await at.context.clearCookies();
        await app.send(at, '/oauth/authorize', request(app), 'post');
        await at.seesSignIn();
        await signIn(at, email);
        await at.sees('page.oidc.consent_title', { name: 'Plans' });
        assert.match(await at.text(), new RegExp(new URL(app.origin).host));
        await at.page.locator('button[value=allow]').click();
        assert.equal(await arrives(at, app, '/callback'), 'GET code state iss');
        // Signed in and allowed: no page at all.
        await app.send(at, '/oauth/authorize', request(app));
        assert.equal(await arrives(at, app, '/callback'), 'GET code state iss');
        await app.send(at, '/oauth/authorize', request(app, { prompt: 'consent' }));
        await at.page.locator('button[value=deny]').click();
        assert.equal(await arrives(at, app, '/callback'), 'GET error error_description state iss');
      },
      { javaScriptEnabled },
    ),
  ),

  atApplication('the response by form_post sends itself', async ({ app, at, email }) => {
    const posted = request(app, { response_mode: 'form_post' });
    await at.context.clearCookies();
    await app.send(at, '/oauth/authorize', posted);
    await signIn(at, email);
    await at.page.locator('button[value=allow]').click();
    assert.equal(await arrives(at, app, '/callback'), 'POST code state iss', 'after forms');
    await app.send(at, '/oauth/authorize', posted);
    assert.equal(await arrives(at, app, '/callback'), 'POST code state iss', 'without one');
    await app.send(at, '/oauth/authorize', request(app, { response_mode: 'form_post', prompt: 'consent' }));
    await at.page.locator('button[value=deny]').click();
    assert.equal(await arrives(at, app, '/callback'), 'POST error error_description state iss');
    // A callback may redirect to another origin.
    const elsewhere = app.origin.replace('127.0.0.1', 'localhost');
    at.allow(elsewhere);
    await app.send(at, '/oauth/authorize', { ...posted, redirect_uri: `${app.origin}/elsewhere` });
    await at.page.waitForURL(`${elsewhere}/arrived?code&state&iss`);
  }),

  atApplication('a sign-out at the application asks, and leads back to it', async ({ app, at }) => {
    const fields = { client_id: 'plans', post_logout_redirect_uri: `${app.origin}/out`, state: 'the state' };
    for (const method of ['get', 'post']) {
      await app.send(at, '/oauth/end-session', fields, method);
      await at.sees('page.sign_out.title');
    }
    await at.page.locator('main form button').first().click();
    assert.equal(await arrives(at, app, '/out'), 'GET state');
    await at.goTo('/account');
    await at.seesSignIn();
    await app.send(at, '/oauth/end-session', fields);
    assert.equal(await arrives(at, app, '/out'), 'GET state', 'there is nothing to ask');
  }),
];

describe('an application of another origin', { concurrency: 2 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  for (const one of stories) test(one.title, perform(venue, one));
});

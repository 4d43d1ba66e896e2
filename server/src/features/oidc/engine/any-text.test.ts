// Any text in any parameter of the endpoints: none makes the service fail. PostgreSQL takes no text with NUL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { send, type Reply } from '../../../../test/support/request.ts';
import { Program } from '../test/program.ts';
import { authorizationRequest, deviceGrant, ProviderSite } from '../test/site.ts';
import { oidcPaths } from './paths.ts';

const texts = [
  '\0',
  'https://api.example.org\0',
  'bva_\0',
  '\u{d800}',
  '__proto__',
  '1e999',
  '{"id_token":{"acr":{"values":[null,{}]},"sub":{"values":[1]}},"userinfo":null}',
  'x'.repeat(3000),
];
const requestNames =
  'client_id redirect_uri scope state nonce prompt max_age acr_values claims resource ui_locales login_hint ' +
  'id_token_hint response_mode response_type code_challenge code_challenge_method request request_uri dpop_jkt';
const tokenNames =
  'grant_type code code_verifier redirect_uri refresh_token device_code scope resource client_id client_secret ' +
  'client_assertion client_assertion_type';
const grants = ['authorization_code', 'refresh_token', 'client_credentials', deviceGrant] as const;

onEachEngine('any text', (engine) => {
  let site: ProviderSite;
  let program: Program;
  const failed: string[] = [];
  before(async () => {
    const limit = String(1e6);
    site = await ProviderSite.open(engine, {
      ADDRESS_LIMIT_PER_MINUTE: limit,
      GLOBAL_LIMIT_PER_MINUTE: limit,
    });
    program = new Program(site, await site.application({ grantTypes: [...grants] }));
  });
  after(() => site.close());

  const note = (what: string, { status, text, headers }: Reply): void => {
    const isFailure = status >= 500 || /server_error/.test(`${text} ${String(headers['location'])}`);
    if (isFailure) failed.push(`${what}: ${status}`);
  };

  test('in a parameter of a request', async () => {
    for (const name of requestNames.split(' '))
      for (const text of texts) {
        const { searchParams } = new URL((await authorizationRequest(program.application)).url);
        searchParams.set(name, text);
        const path = `${oidcPaths.authorization}?${searchParams.toString()}`;
        const headers = { accept: 'application/json' };
        note(`authorize ${name}`, await send(site.service.app, { method: 'GET', path, headers }));
        const fields = Object.fromEntries(searchParams);
        for (const endpoint of [oidcPaths.pushed, oidcPaths.deviceAuthorization])
          note(`${endpoint} ${name}`, await program.post(endpoint, fields));
      }
    assert.deepEqual(failed, []);
  });

  test('in a parameter of the token endpoint, and as a token', async () => {
    for (const text of texts) {
      for (const name of tokenNames.split(' '))
        for (const grant of grants) {
          const fields = { grant_type: grant, code: 'bvo_', refresh_token: 'bvr_', device_code: 'bvd_' };
          for (const isAuthenticated of [true, false])
            note(
              `token ${grant} ${name}`,
              await program.post(oidcPaths.token, { ...fields, [name]: text }, { isAuthenticated }),
            );
        }
      for (const endpoint of [oidcPaths.introspection, oidcPaths.revocation])
        note(endpoint, await program.post(endpoint, { token: text, token_type_hint: text }));
      for (const name of ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state'])
        note(
          `end-session ${name}`,
          await send(site.service.app, {
            method: 'GET',
            path: `${oidcPaths.endSession}?${new URLSearchParams({ [name]: text }).toString()}`,
          }),
        );
    }
    assert.deepEqual(failed, []);
  });
});

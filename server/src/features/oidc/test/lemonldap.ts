// LemonLDAP::NG as relying party: its portal signs users in at the provider, for the applications that it protects.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../../test/support/integration.ts';
import { temporaryFolder } from '../../../../test/support/running-service.ts';
import type { Party, Settings } from './party.ts';

const isThere =
  spawnSync('plackup', ['--version']).status === 0 &&
  spawnSync('perl', ['-MLemonldap::NG::Portal::Main', '-MGD::SecurityImage', '-MImage::Magick', '-e', '1'])
    .status === 0;

/** Returns the configuration of the portal, which fetches no metadata itself. */
async function configurationOf({ issuer, id, secret, own }: Settings, folder: string): Promise<object> {
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).text();
  const keys = await (await fetch(`${issuer}/oauth/jwks`)).text();
  const storage = (name: string): object => ({
    Directory: join(folder, name),
    LockDirectory: join(folder, name, 'lock'),
  });
  return {
    cfgNum: 1,
    cfgDate: 1,
    domain: 'localhost',
    portal: `${own}/`,
    key: 'only a test',
    securedCookie: 0,
    locationRules: { localhost: { default: 'accept' } },
    globalStorage: 'Apache::Session::File',
    globalStorageOptions: storage('sessions'),
    persistentStorage: 'Apache::Session::File',
    persistentStorageOptions: storage('persistent'),
    authentication: 'OpenIDConnect',
    userDB: 'Same',
    passwordDB: 'Null',
    portalUserAttr: 'mail',
    oidcOPMetaDataExportedVars: { bienvenue: { mail: 'email', uid: 'sub' } },
    oidcOPMetaDataJSON: { bienvenue: metadata },
    oidcOPMetaDataJWKS: { bienvenue: keys },
    oidcOPMetaDataOptions: {
      bienvenue: {
        oidcOPMetaDataOptionsClientID: id,
        oidcOPMetaDataOptionsClientSecret: secret,
        oidcOPMetaDataOptionsScope: 'openid profile email',
        oidcOPMetaDataOptionsTokenEndpointAuthMethod: 'client_secret_basic',
        oidcOPMetaDataOptionsCheckJWTSignature: 1,
        oidcOPMetaDataOptionsUseNonce: 1,
        oidcOPMetaDataOptionsStoreIDToken: 1,
      },
    },
  };
}

export const lemonldap: Party = {
  name: 'LemonLDAP::NG',
  missing: !isThere && 'LemonLDAP::NG with plackup, GD::SecurityImage and Image::Magick is not installed',
  registration:
    'bienvenue client add --name Portal --first-party --skip-pkce ' +
    '--redirect-uri http://localhost:3000/?openidconnectcallback=1 ' +
    '--post-logout-redirect-uri http://localhost:3000/?logout=1',
  signOut: '/?logout=1',
  hears: false,
  cannot: {
    refresh: 'it refreshes no token',
    'step up by acr': 'it requests the same acr_values at each sign-in',
    'sign out here':
      'version 2.16 asks the provider nothing after the sign-in, and receives no logout tokens',
    disable: 'as for signing out here',
  },
  start: async (t, settings) => {
    const folder = await temporaryFolder(t);
    for (const name of ['configuration', 'sessions/lock', 'persistent/lock'])
      mkdirSync(join(folder, name), { recursive: true });
    const configuration = await configurationOf(settings, folder);
    writeFileSync(join(folder, 'configuration/lmConf-1.json'), JSON.stringify(configuration));
    const lines = [
      '[all]',
      'logger=Lemonldap::NG::Common::Logger::Std',
      'userLogger=Lemonldap::NG::Common::Logger::Std',
      'logLevel=error',
      'localSessionStorage=',
      '[configuration]',
      'type=File',
      `dirName=${folder}/configuration`,
      '[portal]',
      'templateDir=/usr/share/lemonldap-ng/portal/templates',
      'portalSkin=bootstrap',
    ];
    writeFileSync(join(folder, 'lemonldap-ng.ini'), lines.join('\n'));
    writeFileSync(
      join(folder, 'portal.psgi'),
      'use Lemonldap::NG::Portal::Main; Lemonldap::NG::Portal::Main->run({});',
    );
    const { port } = new URL(settings.own);
    const command = ['plackup', '-s', 'HTTP::Server::PSGI', '-o', '127.0.0.1', '-p', port, 'portal.psgi'];
    await run(t, command, {
      origin: settings.own,
      environment: { LLNG_DEFAULTCONFFILE: join(folder, 'lemonldap-ng.ini') },
      folder,
    });
  },
};

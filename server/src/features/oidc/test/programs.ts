// The programs of the table: those of the guides, as they are printed there, and those of the folder parties.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { blockOf } from '../../../../test/support/document.ts';
import { freePort } from '../../../../test/support/free-port.ts';
import { run } from '../../../../test/support/integration.ts';
import { temporaryFolder } from '../../../../test/support/running-service.ts';
import { goOidc } from './go.ts';
import { lemonldap } from './lemonldap.ts';
import { environmentOf, type Party } from './party.ts';

const guide = 'docs/guides/openid-web.md';
const products = 'docs/guides/openid-products.md';
const root = join(import.meta.dirname, '../../../../..');

/** The Python that has Debian's packages: one of another version may come first in the PATH. */
function pythonWith(...modules: readonly string[]): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (program) => spawnSync(program, ['-c', `import ${modules.join(', ')}`]).status === 0,
  );
}

const flaskPython = pythonWith('authlib', 'flask', 'requests');
const djangoPython = pythonWith('authlib', 'django', 'requests');

/** Runs Authlib in Flask. */
const inFlask: Party['start'] = async (t, settings) => {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'app.py'), blockOf(guide, 'Python', 'python'));
  await run(t, [String(flaskPython), 'app.py'], {
    origin: settings.own,
    environment: environmentOf(settings),
    folder,
  });
};

/** Runs Authlib in Django. */
const inDjango: Party['start'] = async (t, settings) => {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'sign_in.py'), blockOf(guide, 'Django', 'python'));
  writeFileSync(join(folder, 'app.py'), blockOf(guide, 'Django', 'python 2'));
  const environment = environmentOf(settings);
  const prepared = spawnSync(String(djangoPython), ['app.py', 'migrate'], { cwd: folder, env: environment });
  assert.equal(prepared.status, 0, String(prepared.stderr));
  const { host } = new URL(settings.own);
  await run(t, [String(djangoPython), 'app.py', 'runserver', '--noreload', host], {
    origin: settings.own,
    environment,
    folder,
  });
};

/** Runs a program of a guide in Node.js. Its packages are those of this project. */
function fromGuide(heading: string): Party['start'] {
  return (t, settings) =>
    run(t, [process.execPath, '--input-type=module', '--eval', blockOf(guide, heading, 'js')], {
      origin: settings.own,
      environment: environmentOf(settings),
      folder: root,
    });
}

/** Runs a program of this folder. */
function fromFile(name: string): Party['start'] {
  return (t, settings) =>
    run(t, [process.execPath, join(import.meta.dirname, 'parties', name)], {
      origin: settings.own,
      environment: environmentOf(settings),
    });
}

const apacheModules = '/usr/lib/apache2/modules';
const apacheNames = [
  'mpm_event',
  'authn_core',
  'authz_core',
  'authz_user',
  'proxy',
  'proxy_http',
  'auth_openidc',
];
const hasApache = apacheNames.every((name) => existsSync(join(apacheModules, `mod_${name}.so`)));

/** Runs Apache with an application behind it that shows what the module passes on. */
const inApache: Party['start'] = async (t, { issuer, secret, own }) => {
  const folder = await temporaryFolder(t);
  const behind = createServer(({ url, headers }, response) => {
    const { oidc_claim_email: email, oidc_claim_acr: acr } = headers;
    response.end(
      `You are ${String(email)}. ${url === '/settings' ? 'You signed in with two factors.' : String(acr)}`,
    );
  });
  const port = await freePort();
  behind.listen(port, '127.0.0.1');
  t.after(async () => void behind.close());
  const site = blockOf(products, 'Apache', 'apache')
    .replaceAll('http://localhost:5000', issuer)
    .replaceAll('http://localhost:3000', own)
    .replaceAll('127.0.0.1:3001', `127.0.0.1:${port}`)
    .replace('CLIENT_SECRET', secret)
    .replace('RANDOM_VALUE', 'only-a-test');
  const loads = apacheNames.map((name) => `LoadModule ${name}_module ${apacheModules}/mod_${name}.so`);
  const lines = [
    `ServerRoot ${folder}`,
    `PidFile ${folder}/pid`,
    `ErrorLog ${folder}/error.log`,
    'LogLevel warn',
    `DefaultRuntimeDir ${folder}`,
    'User nobody',
    `Listen 127.0.0.1:${new URL(own).port}`,
    `ServerName ${new URL(own).host}`,
    ...loads,
    site,
  ];
  writeFileSync(join(folder, 'apache.conf'), lines.join('\n'));
  await run(t, ['/usr/sbin/apache2', '-D', 'FOREGROUND', '-f', join(folder, 'apache.conf')], {
    origin: own,
    folder,
  });
};

const plain =
  'bienvenue client add --name Program --first-party --redirect-uri http://localhost:3000/callback --post-logout-redirect-uri http://localhost:3000/';

export const parties: readonly Party[] = [
  {
    name: 'openid-client',
    missing: false,
    registration: plain,
    signOut: '/logout',
    hears: false,
    cannot: {},
    start: fromFile('openid-client.mjs'),
  },
  {
    name: 'oauth4webapi',
    missing: false,
    registration: `${plain} --require-par`,
    signOut: '/logout',
    hears: false,
    cannot: {},
    start: fromFile('oauth4webapi.mjs'),
  },
  {
    name: 'passport-openidconnect',
    missing: false,
    registration: `${plain} --skip-pkce`,
    signOut: '/logout',
    hears: false,
    cannot: {
      refresh: 'it signs in and no more: it has no refresh',
      'sign out here': 'it asks the provider nothing after the sign-in, and receives no logout tokens',
      disable: 'as for signing out here',
    },
    start: fromFile('passport.mjs'),
  },
  {
    name: 'express-openid-connect',
    missing: false,
    registration: blockOf(guide, 'Express', 'sh'),
    signOut: '/logout',
    hears: true,
    cannot: {},
    start: fromGuide('Express'),
  },
  {
    name: 'Authlib in Flask',
    missing:
      flaskPython === undefined && 'There is no Python with authlib, flask and requests on this machine',
    registration: blockOf(guide, 'Python', 'sh'),
    signOut: '/logout',
    hears: false,
    cannot: {},
    start: inFlask,
  },
  {
    name: 'Authlib in Django',
    missing:
      djangoPython === undefined && 'There is no Python with authlib, django and requests on this machine',
    registration: blockOf(guide, 'Django', 'sh'),
    signOut: '/logout',
    hears: false,
    isSerial: true, // of two transactions of Django on SQLite that read and then write, one fails: "database is locked"
    cannot: {
      refresh: 'the guide shows it for Flask',
      'step up by acr': 'the guide shows it for Flask',
      'sign out here': 'the application keeps no token, so that its session ends by its own time',
      disable: 'as for signing out here',
    },
    start: inDjango,
  },
  {
    name: 'mod_auth_openidc',
    missing: !hasApache && 'There is no Apache with mod_auth_openidc on this machine',
    registration: blockOf(products, 'Apache', 'sh'),
    signOut: `/oidc?logout=OWN%2F`,
    hears: true,
    cannot: {},
    start: inApache,
  },
  goOidc,
  lemonldap,
];

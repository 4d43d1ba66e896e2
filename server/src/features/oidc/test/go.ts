// go-oidc as relying party: the program of the guide, with the packages of Debian.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blockOf } from '../../../../test/support/document.ts';
import { has, run } from '../../../../test/support/integration.ts';
import { temporaryFolder } from '../../../../test/support/running-service.ts';
import { environmentOf, type Party } from './party.ts';

const guide = 'docs/guides/openid-web.md';
/** Where Debian installs the sources of packages. */
const goPath = '/usr/share/gocode';
const isThere =
  has('go', 'version') &&
  ['github.com/coreos/go-oidc', 'golang.org/x/oauth2'].every((name) => existsSync(join(goPath, 'src', name)));
/** Compiled packages. Without them a build takes eight seconds instead of half a second. */
const compiled = join(import.meta.dirname, '../../../../.cache/go');

export const goOidc: Party = {
  name: 'go-oidc',
  missing: !isThere && 'There is no Go with go-oidc and oauth2 on this machine',
  registration: blockOf(guide, 'Go', 'sh'),
  signOut: '/sign-out',
  hears: false,
  cannot: {},
  start: async (t, settings) => {
    const folder = await temporaryFolder(t);
    // Debian has version 2. The functions that the program calls are the same.
    const source = blockOf(guide, 'Go', 'go').replace('go-oidc/v3/oidc"', 'go-oidc"');
    writeFileSync(join(folder, 'main.go'), source);
    const { PATH } = process.env;
    const built = spawnSync('go', ['build', '-o', 'application', 'main.go'], {
      cwd: folder,
      env: { PATH, GO111MODULE: 'off', GOPATH: goPath, GOCACHE: compiled },
    });
    assert.equal(built.status, 0, String(built.stderr));
    await run(t, [join(folder, 'application')], {
      origin: settings.own,
      environment: environmentOf(settings),
      folder,
    });
  },
};

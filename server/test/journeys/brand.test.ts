// The look and the texts of an operator, from the options to pages and emails.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { send, type Reply } from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

describe('the look and the texts of an operator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bienvenue-brand-'));
  const [theme, languages] = [join(folder, 'theme'), join(folder, 'languages')];
  let service: TestService;
  before(async () => {
    for (const path of [theme, languages]) mkdirSync(path);
    writeFileSync(join(theme, 'theme.css'), '@font-face { src: url(a.woff2) }');
    writeFileSync(join(theme, 'a.woff2'), 'wOF2');
    const german = {
      'page.sign_in.act': 'Anmelden',
      'mail.email_verification.subject': 'E-Mail-Adresse für {product} bestätigen',
    };
    writeFileSync(join(languages, 'de.json'), JSON.stringify(german));
    service = await testService('sqlite', {
      THEME_DIR: theme,
      LANGUAGES_DIR: languages,
      EMAIL_CONFIRMATION: 'true',
    });
  });
  after(async () => {
    await service.close();
    rmSync(folder, { recursive: true });
  });
  const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    send(service.app, { method: 'GET', path, headers: { accept: 'text/html', ...headers } });

  test('a page loads the style sheet of the theme, which loads the font from this service', async () => {
    const page = await get('/sign-in');
    assert.match(String(page.headers['content-security-policy']), /; font-src 'self';/);
    const [sheet = assert.fail('no sheet')] = /\/theme\/theme\.css[^"]*/.exec(page.text) ?? [];
    const styles = await get(sheet.replaceAll('&#61;', '='));
    assert.equal(styles.headers['cache-control'], 'public, max-age=31536000, immutable');
    const [font = assert.fail('no font')] = /\/theme\/a\.woff2[^"]*/.exec(styles.text) ?? [];
    const loaded = await get(font);
    assert.deepEqual(
      [loaded.status, loaded.text, loaded.headers['content-type']],
      [200, 'wOF2', 'font/woff2'],
    );
    assert.equal(loaded.headers['cache-control'], 'public, max-age=31536000, immutable');
    for (const path of ['/theme/', '/theme/b.woff2', '/theme/..%2ftheme%2fa.woff2', '/theme/theme.css/x'])
      assert.equal((await get(path)).status, 404, path);
  });

  test('an added language is chosen like the others, and is in English where it has no text', async () => {
    const german = await get('/sign-in', { 'accept-language': 'de-CH, en;q=0.5' });
    assert.match(german.text, /<html lang="de" dir="ltr">/);
    assert.match(german.text, />\s*Anmelden\s*<\/button>/);
    assert.match(german.text, /Forgot password\?/);
    for (const page of [german, await get('/sign-in')])
      assert.match(page.text, /value="de"\s+lang="de"[^>]*>\s*Deutsch\s*<\/button>/);
    const fields = { language: 'de', return_to: '/sign-in' };
    const chosen = await send(service.app, { method: 'POST', path: '/language', fields });
    assert.match(chosen.cookies.join(), /language=de;/);
  });

  test('an email is in the added language of its user', async () => {
    const fields = { email: 'ada@example.org', password: 'seven otters under a green umbrella' };
    const headers = { 'accept-language': 'de' };
    assert.equal((await send(service.app, { method: 'POST', path: '/users', fields, headers })).status, 200);
    const subjects = (await service.core.outbox.listKept(5)).map(({ subject }) => subject);
    assert.deepEqual(subjects, ['E-Mail-Adresse für Bienvenue bestätigen']);
  });
});

test('without a theme the policy of pages has no source of fonts', async () => {
  const service = await testService('sqlite', {});
  try {
    const { headers } = await send(service.app, {
      method: 'GET',
      path: '/sign-in',
      headers: { accept: 'text/html' },
    });
    assert.doesNotMatch(String(headers['content-security-policy']), /font-src/);
  } finally {
    await service.close();
  }
});

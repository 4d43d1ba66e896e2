import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOptions, readOptions } from '../app/options.ts';
import { misspeltNames } from './option-name.ts';

test('a misspelt name in the environment is answered with the name that was meant', () => {
  const meant: Record<string, string> = {
    PRODUCT_COLOUR: 'PRODUCT_COLOR',
    SMTP_URI: 'SMTP_URL',
    MAIL_FORM: 'MAIL_FROM',
    MAILFROM: 'MAIL_FROM',
    DATABASE_URI: 'DATABASE_URL',
    DATABASE_URLS: 'DATABASE_URL',
    PUBLIC_URI: 'PUBLIC_URL',
    TRUSTED_PROXY: '',
    TRUSTED_PROXIE: 'TRUSTED_PROXIES',
    ALLOWED_ORIGIN: 'ALLOWED_ORIGINS',
    SESION_DAYS: 'SESSION_DAYS',
    SMTP_URL_FIEL: 'SMTP_URL_FILE',
    BIENVENUE_PORT: 'PORT',
    BIENVENUE_DATABASE_URL: 'DATABASE_URL',
    BIENVENUE_CONFG: 'BIENVENUE_CONFIG',
  };
  for (const [name, option] of Object.entries(meant))
    assert.deepEqual(
      misspeltNames([name], allOptions),
      option === '' ? [] : [`${name} is not an option and has no effect. Did you mean ${option}?`],
    );
});

test('each option with two letters swapped, one missing or one more is recognized', () => {
  for (const { env } of Object.values(allOptions).filter((row) => row.env.length > 7)) {
    const middle = Math.floor(env.length / 2);
    const [a = '', b = ''] = env.slice(middle, middle + 2);
    const swapped = `${env.slice(0, middle)}${b}${a}${env.slice(middle + 2)}`;
    for (const wrong of [swapped, env.slice(0, -1), `${env}X`])
      if (wrong !== env)
        assert.match(misspeltNames([wrong], allOptions).join(), /^\S+ is not an option/, wrong);
  }
});

test('a name that only this service uses is reported although no option is near', () => {
  for (const name of ['BIENVENUE_THREADS_OF_ALL_KINDS', 'PRODUCT_SLOGAN_TEXT'])
    assert.match(
      misspeltNames([name], allOptions).join(),
      new RegExp(`^${name} is not an option and has no effect`),
    );
});

test('a file for an option that is no secret is reported', () => {
  assert.deepEqual(misspeltNames(['MAIL_FROM_FILE'], allOptions), [
    'MAIL_FROM_FILE has no effect: only a secret can be read from a file. Set MAIL_FROM.',
  ]);
  assert.deepEqual(misspeltNames(['SMTP_URL_FILE', 'DATABASE_URL_FILE', 'SECRET_KEY_FILE'], allOptions), []);
});

test('names of options and of other programs are left alone', () => {
  const others =
    'PATH HOME USER SHELL TERM LANG LC_ALL PWD OLDPWD TZ EDITOR PAGER POST HOSTS PORTS HOSTNAME LOGNAME MAIL MAILTO ' +
    'DISPLAY SESSION_MANAGER XDG_SESSION_ID XDG_DATA_DIRS XDG_DATA_HOME PASSWORD_STORE_DIR PGHOST PGPORT PGDATA ' +
    'PGSSLMODE PGPASSWORD NODE_ENV NODE_OPTIONS npm_config_cache INIT_CWD SSH_AUTH_SOCK SUDO_USER SUDO_COMMAND ' +
    'INVOCATION_ID JOURNAL_STREAM CREDENTIALS_DIRECTORY STATE_DIRECTORY KUBERNETES_SERVICE_HOST HTTP_PROXY NO_PROXY ' +
    'SMTP_HOST SMTP_PASSWORD MAIL_DRIVER APP_URL REDIS_URL TEST_DATABASE_URL AWS_REGION DOCKER_HOST DEBUG CI ' +
    'CHROME_DESKTOP DBUS_SESSION_BUS_ADDRESS GITHUB_TOKEN COLORTERM LS_COLORS PRODUCT';
  assert.deepEqual(misspeltNames(others.split(' '), allOptions), []);
  assert.deepEqual(
    misspeltNames(
      Object.values(allOptions).map(({ env }) => env),
      allOptions,
    ),
    [],
  );
});

test('reading the options returns the warnings, and lists them with the faults that they explain', () => {
  assert.match(
    readOptions({ SMTP_URI: 'smtp://mail.example.org' }).warnings.join(),
    /Did you mean SMTP_URL\?/,
  );
  assert.deepEqual(readOptions({ SMTP_URI: ' ' }).warnings, []);
  assert.throws(() => readOptions({ PUBLIC_URL: 'https://accounts.example.org', SMTP_URI: 'smtp://mail' }), {
    message: /SMTP_URL must name a mail server.*Did you mean SMTP_URL\?/s,
  });
});

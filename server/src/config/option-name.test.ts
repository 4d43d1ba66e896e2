import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOptions, readOptions } from '../app/options.ts';
import { ignoredFiles, misspelledNames, wrongKey } from './option-name.ts';
import { hasSecretFile } from './secret-file.ts';

test('a misspelled name in the environment is answered with the name that was meant', () => {
  const meant: Record<string, string> = {
    PRODUCT_COLOUR: 'PRODUCT_COLOR',
    SMTP_URI: 'SMTP_URL',
    MAIL_FORM: 'MAIL_FROM',
    MAILFROM: 'MAIL_FROM',
    DATABASE_URI: 'DATABASE_URL',
    DATABASE_URLS: 'DATABASE_URL',
    PUBLIC_URI: 'PUBLIC_URL',
    TRUSTED_PROXY: 'TRUSTED_PROXIES',
    TRUST_PROXY: 'TRUSTED_PROXIES',
    SIGNUP: 'SIGN_UP',
    SIGNUPS: 'SIGN_UP',
    SIGN_UPS: 'SIGN_UP',
    DATA_FOLDER: 'DATA_DIR',
    DATA_DIRECTORY: 'DATA_DIR',
    MIN_PASSWORD_LENGTH: 'PASSWORD_MIN_LENGTH',
    public_url: 'PUBLIC_URL',
    Data_Dir: 'DATA_DIR',
    smtp_uri: 'SMTP_URL',
    TRUSTED_PROXIE: 'TRUSTED_PROXIES',
    ALLOWED_ORIGIN: 'ALLOWED_ORIGINS',
    SESION_DAYS: 'SESSION_DAYS',
    SMTP_URL_FIEL: 'SMTP_URL_FILE',
    BIENVENUE_PORT: 'PORT',
    BIENVENUE_DATABASE_URL: 'DATABASE_URL',
    BIENVENUE_CONFG: 'BIENVENUE_CONFIG',
  };
  for (const [name, option] of Object.entries(meant))
    assert.deepEqual(misspelledNames([name], allOptions), [
      `${name} is not an option and has no effect. Did you mean ${option}?`,
    ]);
});

test('each option with two letters swapped, one missing or one more is recognized', () => {
  for (const { env } of Object.values(allOptions).filter((row) => row.env.length > 7)) {
    const middle = Math.floor(env.length / 2);
    const [a = '', b = ''] = env.slice(middle, middle + 2);
    const swapped = `${env.slice(0, middle)}${b}${a}${env.slice(middle + 2)}`;
    for (const wrong of [swapped, env.slice(0, -1), `${env}X`])
      if (wrong !== env)
        assert.match(misspelledNames([wrong], allOptions).join(), /^\S+ is not an option/, wrong);
  }
});

test('each option is recognized in lower case, without underscores, as a plural and with its words in another order', () => {
  for (const { env } of Object.values(allOptions).filter((row) => row.env.replaceAll('_', '').length >= 6)) {
    const words = env.split('_');
    for (const wrong of [env.toLowerCase(), words.join(''), `${env}S`, words.toReversed().join('_')])
      if (!Object.values(allOptions).some((row) => row.env === wrong))
        assert.deepEqual(misspelledNames([wrong], allOptions), [
          `${wrong} is not an option and has no effect. Did you mean ${env}?`,
        ]);
  }
});

test('a name of the kind of ours is answered with the options of that kind', () => {
  for (const [name, options] of Object.entries({
    SMTP_HOST: 'SMTP_URL',
    SMTP_USER: 'SMTP_URL',
    SMTP_PASSWORD: 'SMTP_URL',
    SMTP_FROM: 'SMTP_URL',
    MAIL_EHLO: 'MAIL_FROM, MAIL_EHLO_NAME',
    MAIL_FROM_ADDRESS: 'MAIL_FROM, MAIL_EHLO_NAME',
    DATABASE_PASSWORD_FILE: 'DATABASE_URL, DATABASE_POOLER, DATABASE_CONNECTIONS',
    COOKIE_DOMAIN: 'COOKIE_PREFIX',
    SIGNUP_ENABLED: 'SIGN_UP',
  }))
    assert.deepEqual(misspelledNames([name], allOptions), [
      `${name} is not an option and has no effect. Options with a similar name: ${options}.`,
    ]);
});

test('a secret that is given as text and as a file is warned about', () => {
  const secrets = Object.values(allOptions).filter((row) => hasSecretFile(row, allOptions));
  assert.ok(secrets.length >= 2);
  for (const { env } of secrets) {
    assert.deepEqual(ignoredFiles([env, `${env}_FILE`], allOptions), [
      `${env}_FILE has no effect, because ${env} is set too. Remove one of them.`,
    ]);
    for (const one of [env, `${env}_FILE`]) assert.deepEqual(ignoredFiles([one], allOptions), []);
  }
});

test('a key of the configuration file in other letters, or for a file of its own, is answered with what works', () => {
  assert.equal(wrongKey('port', 'a.toml', allOptions), 'port in a.toml is not an option; did you mean PORT?');
  for (const row of Object.values(allOptions).filter((each) => hasSecretFile(each, allOptions)))
    assert.match(wrongKey(`${row.env}_FILE`, 'a.toml', allOptions), /works only in the environment/);
});

test('a name that only this service uses is reported although no option is near', () => {
  for (const name of ['BIENVENUE_THREADS_OF_ALL_KINDS', 'PRODUCT_SLOGAN_TEXT'])
    assert.match(
      misspelledNames([name], allOptions).join(),
      new RegExp(`^${name} is not an option and has no effect`),
    );
});

test('a file for an option that is no secret is reported', () => {
  assert.deepEqual(misspelledNames(['MAIL_FROM_FILE'], allOptions), [
    'MAIL_FROM_FILE has no effect: only a secret can be read from a file. Set MAIL_FROM.',
  ]);
  assert.deepEqual(
    misspelledNames(['SMTP_URL_FILE', 'DATABASE_URL_FILE', 'SECRET_KEY_FILE'], allOptions),
    [],
  );
});

test('names of options and of other programs are left alone', () => {
  const others =
    'PATH HOME USER SHELL TERM LANG LC_ALL PWD OLDPWD TZ EDITOR PAGER POST HOSTS PORTS HOSTNAME LOGNAME MAIL MAILTO ' +
    'DISPLAY SESSION_MANAGER XDG_SESSION_ID XDG_DATA_DIRS XDG_DATA_HOME PASSWORD_STORE_DIR PGHOST PGPORT PGDATA ' +
    'PGSSLMODE PGPASSWORD NODE_ENV NODE_OPTIONS npm_config_cache INIT_CWD SSH_AUTH_SOCK SUDO_USER SUDO_COMMAND ' +
    'INVOCATION_ID JOURNAL_STREAM CREDENTIALS_DIRECTORY STATE_DIRECTORY KUBERNETES_SERVICE_HOST HTTP_PROXY NO_PROXY ' +
    'MAILCHECK MAILPATH MAIL_SERVICE_HOST DATABASE_PORT_5432_TCP_ADDR http_proxy npm_config_loglevel APP_URL REDIS_URL TEST_DATABASE_URL AWS_REGION DOCKER_HOST DEBUG CI ' +
    'CHROME_DESKTOP DBUS_SESSION_BUS_ADDRESS GITHUB_TOKEN COLORTERM LS_COLORS PRODUCT';
  assert.deepEqual(misspelledNames(others.split(' '), allOptions), []);
  assert.deepEqual(
    misspelledNames(
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

// Titles of modules in the generated reference.

/** Titles that do not follow from the name. */
const titles: Readonly<Record<string, string>> = {
  account: 'Accounts',
  details: 'Details of users',
  'disposable-email': 'Disposable email addresses',
  'email-change': 'Change of address',
  'email-sign-in': 'Sign-in by email',
  factor: 'Second factors',
  oidc: 'OpenID provider',
  passkey: 'Passkeys',
  password: 'Passwords',
  'remembered-device': 'Remembered devices',
  session: 'Sessions',
  'sign-in': 'Sign-in',
  'step-up': 'Step-up',
  token: 'Tokens',
  totp: 'Authenticator apps',
};

/** Returns the title of a module: its name in words, with a capital letter, unless it has another one. */
export function titleOf(name: string): string {
  const words = name.replaceAll('-', ' ');
  return titles[name] ?? `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

import type { Row } from './row.ts';

/** An attack on a feature that does not exist yet. */
export interface PendingRow extends Row {
  readonly waitsFor: string;
}

/** Whoever adds the feature takes its rows out of here and writes their tests. */
export const pendingRows: readonly PendingRow[] = [
  {
    row: 'A31',
    title: 'requests of ours steered to where the attacker wants',
    waitsFor: 'webhooks and social login',
  },
  { row: 'A32', title: 'a redirect URI that nearly matches', waitsFor: 'OIDC' },
  { row: 'A33', title: 'an authorisation code that is replayed, foreign or expired', waitsFor: 'OIDC' },
  { row: 'A34', title: 'an authorisation without its proof key', waitsFor: 'OIDC' },
  { row: 'A35', title: 'a refresh token used twice', waitsFor: 'OIDC' },
  { row: 'A36', title: 'an ID token or JWT that names its own algorithm or key', waitsFor: 'OIDC' },
  {
    row: 'A56',
    title: "a victim's federated login joined to the attacker's account",
    waitsFor: 'social login',
  },
  { row: 'A60', title: 'an identity provider that does not verify addresses', waitsFor: 'social login' },
  { row: 'A61', title: 'one identity provider in the place of another', waitsFor: 'social login' },
  { row: 'A62', title: 'a federated callback without its proofs', waitsFor: 'social login' },
  { row: 'A66', title: 'an administrator who grants more than he has', waitsFor: 'the admin door and roles' },
];

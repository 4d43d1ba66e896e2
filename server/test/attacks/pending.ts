import type { Row } from './row.ts';

/** An attack on a feature that does not exist yet. */
export interface PendingRow extends Row {
  readonly waitsFor: string;
}

/** When the feature is added, its rows leave this list and get tests. */
export const pendingRows: readonly PendingRow[] = [
  {
    row: 'A31',
    title: "requests of the service to the attacker's targets (SSRF)",
    waitsFor: 'webhooks and social login',
  },
  { row: 'A32', title: 'a redirect URI that nearly matches', waitsFor: 'OIDC' },
  { row: 'A33', title: 'an authorization code that is replayed, foreign or expired', waitsFor: 'OIDC' },
  { row: 'A34', title: 'an authorization without its proof key', waitsFor: 'OIDC' },
  { row: 'A35', title: 'a refresh token used twice', waitsFor: 'OIDC' },
  { row: 'A36', title: 'an ID token or JWT that names its own algorithm or key', waitsFor: 'OIDC' },
  {
    row: 'A56',
    title: "a victim's federated login joined to the attacker's account",
    waitsFor: 'social login',
  },
  { row: 'A60', title: 'an identity provider that does not verify addresses', waitsFor: 'social login' },
  { row: 'A61', title: 'one identity provider that poses as another', waitsFor: 'social login' },
  { row: 'A62', title: 'a federated callback without state and nonce', waitsFor: 'social login' },
  {
    row: 'A66',
    title: 'an administrator who grants more than he has',
    waitsFor: 'administrator access and roles',
  },
];

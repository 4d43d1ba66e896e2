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

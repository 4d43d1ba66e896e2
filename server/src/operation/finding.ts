/** `unsafe` works but should be changed. */
type Verdict = 'ok' | 'unsafe' | 'fault';

/** What `bienvenue doctor` found out about one thing; a sentence about a fault includes the remedy. */
export interface Finding {
  readonly about: string;
  readonly verdict: Verdict;
  readonly says: string;
}

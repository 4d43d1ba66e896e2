// Compares what was counted with recorded ceilings that may only fall. A ceiling records a breach of a rule that existed
// when the rule was made: more breaches fail a test, and so does a ceiling that is higher than it has to be.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Numbers by subject: a file, a module, a function. */
export type Counts = Readonly<Record<string, number>>;

/** The rules of one area: for each rule what it allows everywhere, and what was counted. */
export type Findings = Readonly<Record<string, { readonly limit: number; readonly counts: Counts }>>;

/** Recorded counts above the limit, by rule and subject. */
export type Ceilings = Readonly<Record<string, Counts>>;

/** Sentences about counts above their ceiling, and about ceilings that can be lowered. */
export function ceilingFaults(findings: Findings, ceilings: Ceilings): string[] {
  return [
    ...Object.keys(ceilings)
      .filter((rule) => findings[rule] === undefined)
      .map((rule) => `${rule}: there is no such rule; remove its ceilings`),
    ...Object.entries(findings).flatMap(([rule, { limit, counts }]) => {
      const recorded = ceilings[rule] ?? {};
      return [...new Set([...Object.keys(counts), ...Object.keys(recorded)])].flatMap((subject) => {
        const [count, ceiling] = [counts[subject] ?? 0, recorded[subject]];
        if (count > Math.max(limit, ceiling ?? 0))
          return [`${rule}: ${subject} has ${count}, allowed are ${Math.max(limit, ceiling ?? 0)}`];
        if (ceiling === undefined || ceiling === count) return [];
        return [
          count > limit
            ? `${rule}: ${subject} has ${count}; lower its ceiling of ${ceiling}`
            : `${rule}: ${subject} has ${count}, which is within the limit; remove its ceiling of ${ceiling}`,
        ];
      });
    }),
  ];
}

/** Ceilings lowered to what was counted; those that are exceeded stay as they are. */
export function loweredCeilings(findings: Findings, ceilings: Ceilings): Ceilings {
  const due = ceilingsOf(findings);
  return Object.fromEntries(
    Object.entries(ceilings).flatMap(([rule, counts]) => {
      const kept = Object.entries(counts).flatMap(([subject, ceiling]) => {
        const count = due[rule]?.[subject];
        return count === undefined ? [] : [[subject, Math.min(count, ceiling)] as const];
      });
      return kept.length === 0 ? [] : [[rule, Object.fromEntries(kept)] as const];
    }),
  );
}

/** The ceilings that match what was counted, sorted, so that branches merge easily. */
export function ceilingsOf(findings: Findings): Ceilings {
  const sorted = (counts: Counts, limit: number): Counts =>
    Object.fromEntries(
      Object.entries(counts)
        .filter(([, count]) => count > limit)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  return Object.fromEntries(
    Object.entries(findings)
      .map(([rule, { limit, counts }]) => [rule, sorted(counts, limit)] as const)
      .filter(([, counts]) => Object.keys(counts).length > 0),
  );
}

/** What is recorded, by the name of its test. */
interface Recorded {
  readonly architecture: Ceilings;
  readonly words: { readonly files: Ceilings; readonly rates: Counts };
}

/** Reads the recorded ceilings of a test from its JSON file. */
export function readCeilings<Name extends keyof Recorded>(name: Name): Recorded[Name] {
  return JSON.parse(readFileSync(ceilingsFile(name), 'utf8')) as Recorded[Name]; // written by tools/ceilings.ts
}

export function ceilingsFile(name: keyof Recorded): string {
  return join(import.meta.dirname, '..', `${name}-ceilings.json`);
}

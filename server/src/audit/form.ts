// Forms of audit rows: the texts from which the digests of rows are computed.
import type { AuditContent, AuditRow } from './store.ts';

/** The form of new rows. */
export const currentForm = 2;

/**
 * Text from which the digest of a row is computed, by the form of the row: its content in a fixed order, as JSON to be
 * unambiguous. Form 1 has no facts, actor id and target. Later forms begin with their number, so that no text has two
 * forms.
 */
const canonicalForms = {
  1: (row: AuditContent): string =>
    JSON.stringify([
      row.id,
      row.at,
      row.event,
      row.outcome,
      row.reason,
      row.actor,
      row.user_id,
      row.address,
      row.device,
      row.request_id,
    ]),
  2: (row: AuditContent): string =>
    JSON.stringify([
      2,
      row.id,
      row.at,
      row.event,
      row.outcome,
      row.reason,
      row.facts,
      row.actor,
      row.actor_id,
      row.user_id,
      row.target_kind,
      row.target_id,
      row.address,
      row.device,
      row.request_id,
    ]),
} as const;

/** Returns the text from which the digest of a new row is computed. */
export function contentText(content: AuditContent): string {
  return canonicalForms[currentForm](content);
}

/** Returns the text from which the digest of a row is computed; `undefined` for a row that no release writes. */
export function canonicalText(row: AuditRow): string | undefined {
  if (row.form === 2) return canonicalForms[2](row);
  // The digest of form 1 does not include these columns, which are always null in this form.
  const isPlain = [row.facts, row.actor_id, row.target_kind, row.target_id].every((value) => value === null);
  return row.form === 1 && isPlain ? canonicalForms[1](row) : undefined;
}

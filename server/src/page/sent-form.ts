// Keeps the fields of a form that was not accepted in a note in the browser, from which its page shows them again.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TObject } from 'typebox';
import type { Problem } from '../kit/problem.ts';
import type { Notes } from '../http/cookie/note.ts';
import { readFields } from '../http/body.ts';
import { isSolvedElsewhere } from './recovery.ts';

/** Values of the fields of a form. */
export type FormFields = Readonly<Record<string, string>>;

/** A form as it was sent. */
export interface SentForm {
  /** Its fields, and those that are filled in again. */
  readonly form: { readonly fields: TObject; readonly keeps: readonly string[] };
  readonly fields: FormFields;
  /** Address of its page. */
  readonly address: string;
  readonly reply: FastifyReply;
}

/** Redirects to the page of a form, which shows why it was refused and what was typed. */
export function refuse(notes: Notes, sent: SentForm, problem: Problem): FastifyReply {
  const note = notes.leave(sent.reply, { problem, typed: typedInto(sent) });
  return sent.reply.redirect(withNote(sent.address, note), 303);
}

/** Returns the address of the page of a form that the user has to send again; it has what was typed. */
export function addressOfUnsent(notes: Notes, sent: SentForm): string {
  const { form, fields, address, reply } = sent;
  const isButton = !Object.keys(form.fields.properties).some((name) => name in fields);
  return form.keeps.length === 0 || isButton
    ? address
    : withNote(address, notes.keep(reply, typedInto(sent)));
}

/**
 * Returns the fields of a form that did not reach its page. They are read only now if waiting or another page solves the
 * problem. Those that were read before have passed the check of the origin; any others may come from elsewhere.
 */
export async function fieldsOf(request: FastifyRequest, problem: Problem): Promise<FormFields> {
  const isRead = problem.retryAfterSeconds !== undefined || isSolvedElsewhere(problem);
  request.body ??= isRead ? await readFields(request) : {};
  const texts = Object.entries(request.body as object).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(texts);
}

function typedInto({ form: { keeps }, fields }: SentForm): FormFields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => keeps.includes(name)));
}

function withNote(address: string, note: string): string {
  return `${address}${address.includes('?') ? '&' : '?'}note=${note}`;
}

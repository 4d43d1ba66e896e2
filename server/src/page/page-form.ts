// What the forms of pages share: a new password, and what is wrong with a form or one of its fields.
import { html } from 'ghtml';
import type { FaultReason, Problem } from '../kit/problem.ts';
import { field, notice } from '../http/markup.ts';
import type { Translate } from '../http/pages.ts';
import { paths, type PageRoom } from './page-guard.ts';

/** A field for a new password: its length is counted as it is typed, and common ones are told. */
export function newPasswordField(
  { passwordMinLength }: PageRoom,
  t: Translate,
  { name, problem }: { name: 'password' | 'new_password'; problem: Problem | undefined },
): string {
  return field({
    name,
    label: t(name === 'password' ? 'page.field.password' : 'page.field.new_password'),
    type: 'password',
    autocomplete: 'new-password',
    hint: t('page.field.password_hint', { length: passwordMinLength }),
    fault: faultOf(t, problem, name),
    minLength: passwordMinLength,
    data: { check: `${paths.signUp}/password`, least: String(passwordMinLength) },
  });
}

/** What is wrong with a field of a form, said to the person. */
export function faultOf(t: Translate, problem: Problem | undefined, name: string): string | undefined {
  const fault = problem?.fields.find((one) => one.field === name);
  return (
    fault && t(`page.fault.${fault.reason ?? 'invalid'}` satisfies `page.fault.${FaultReason | 'invalid'}`)
  );
}

/** What is wrong with a form as a whole, where no field of it is. */
export function refusalOf(t: Translate, problem: Problem | undefined, names: readonly string[]): string {
  if (problem === undefined) return '';
  if (problem.fields.some((one) => names.includes(one.field))) return '';
  return notice('fault', t(`page.problem.${problem.code}`));
}

/** The body of a page below `/account`: its parts, and the link back to the list. */
export function accountBody(t: Translate, parts: string): string {
  return html`!${parts}
    <p class="links"><a href="${paths.account}">${t('page.account.back')}</a></p>`;
}

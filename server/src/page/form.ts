// Renders parts of forms: the field of a new password, and the problem of a form or of one of its fields.
import { toEmailAddress } from '../user/email-address.ts';
import type { FaultReason, Problem } from '../kit/problem.ts';
import { html } from 'ghtml';
import { addressOf, field, notice } from '../http/markup.ts';
import type { Translate } from '../http/pages.ts';
import type { Refusal } from '../http/cookie/note.ts';
import { paths } from './paths.ts';
import { withoutCookies } from '../http/cookie/result.ts';

/** Returns a field for a new password. The script shows its length and checks it against the password rule. */
export function newPasswordField(
  { passwordMinLength }: { readonly passwordMinLength: number },
  { t, refusal }: { readonly t: Translate; readonly refusal: Refusal | undefined },
  name: 'password' | 'new_password',
): string {
  return field({
    name,
    label: t(name === 'password' ? 'page.field.password' : 'page.field.new_password'),
    type: 'password',
    autocomplete: 'new-password',
    hint: t('page.field.password_hint', { length: passwordMinLength }),
    fault: faultOf(t, refusal?.problem, name),
    minLength: passwordMinLength,
    data: { check: `${paths.signUp}/password`, min: String(passwordMinLength) },
  });
}

/** What a field reads of a visit. */
interface FieldVisit {
  readonly t: Translate;
  readonly query: { readonly email?: string | undefined };
  readonly refusal: Refusal | undefined;
  readonly typed: (name: string, otherwise?: string) => string;
}

/** Returns the address that was typed before, or that the link to the page names. */
export function emailOf({ query, typed }: Pick<FieldVisit, 'query' | 'typed'>): string {
  return typed('email', query.email);
}

/** Returns the field for the address of an account. */
export function emailField(visit: FieldVisit, autocomplete = 'username'): string {
  return field({
    name: 'email',
    label: visit.t('page.field.email'),
    type: 'email',
    value: emailOf(visit),
    autocomplete,
    fault: faultOf(visit.t, visit.refusal?.problem, 'email'),
  });
}

/** Returns a checkbox that is ticked until the user clears it; a form that was refused shows it as it was. */
export function tickedBox({ typed }: Pick<FieldVisit, 'typed'>, name: string, label: string): string {
  const isTicked = typed(name, 'true') === 'true';
  return html`<label class="choice"
    ><input type="checkbox" name="${name}" value="true" !${isTicked ? 'checked' : ''} /> ${label}</label
  >`;
}

interface CurrentPassword {
  readonly name: string;
  /** Id of the input, if several have the same name. */
  readonly id?: string;
  /** `page.field.password` by default. */
  readonly label?: string;
  readonly fault?: string | undefined;
  /** Address of the account, if it is known. */
  readonly email: string;
  /** Where to continue after the reset. */
  readonly next?: string | undefined;
}

/** Returns the field for the password that the account has, with the link for a user who forgot it. */
export function currentPasswordField(
  t: Translate,
  { name, id = name, label = t('page.field.password'), fault, email, next }: CurrentPassword,
): string {
  const known = { email: email === '' ? undefined : email, return_to: next };
  return field({
    name,
    id,
    label,
    type: 'password',
    autocomplete: 'current-password',
    aside: html`<a href="${addressOf(paths.forgot, known)}">${t('page.sign_in.forgot')}</a>`,
    fault,
  });
}

/**
 * Returns a notice for a user who is signed in already and opens a page for visitors; empty without a session, and if the
 * page was opened for the address of the session.
 */
export function signedInNotice({ t, query, next, request: { session } }: SignedInVisit): string {
  if (session === null || query.email === toEmailAddress(session.email)?.key) return '';
  const { email } = session;
  return html`<p class="notice">
    ${t('page.account.what', { email })}
    <a href="${next ?? paths.account}">${t('page.sign_in.continue_as', { email })}</a>
  </p>`;
}

/** The members of a visit that say who is signed in. */
interface SignedInVisit {
  readonly t: Translate;
  readonly query: { readonly email?: string | undefined };
  readonly next: string | undefined;
  readonly request: { readonly session: { readonly email: string } | null };
}

/** Returns the message for a field's fault; `undefined` if the field has no fault. */
export function faultOf(t: Translate, problem: Problem | undefined, name: string): string | undefined {
  const fault = problem?.fields.find((one) => one.field === name);
  return (
    fault && t(`page.fault.${fault.reason ?? 'invalid'}` satisfies `page.fault.${FaultReason | 'invalid'}`)
  );
}

/** Returns whether an authenticator gave nothing. */
export function isNothingGiven({ fields }: Problem): boolean {
  return fields.some(({ field: name, reason }) => reason === 'empty' && /^(?:credential|proof)$/.test(name));
}

/** Returns the sentence for a problem, with the time to wait if there is one. */
export function problemText(t: Translate, problem: Problem): string {
  if (isNothingGiven(problem)) return t('page.script.unknown');
  const { code, retryAfterSeconds: seconds } = problem;
  const text = t(`page.problem.${code}`);
  if (seconds === undefined || seconds <= 0) return text;
  const minutes = Math.ceil(seconds / 60);
  return `${text} ${seconds <= 90 ? t('page.problem.wait', { seconds }) : t('page.problem.wait_minutes', { minutes })}`;
}

/** Returns the notice for a problem of the whole form; empty if one of the named fields shows it. */
export function refusalOf(t: Translate, problem: Problem | undefined, names: readonly string[]): string {
  if (problem === undefined) return '';
  if (problem.fields.some((one) => names.includes(one.field))) return '';
  return notice('fault', problemText(t, problem));
}

/** The members of a page that decide how it shows the result of a form. */
interface ResultPage {
  readonly done?: Readonly<Record<string, string>>;
  readonly notDone?: Readonly<Record<string, string>>;
  readonly shows?: readonly string[];
  readonly showsRefusal?: boolean;
}

/** The members of a visit that say how the form went that led to the page. */
interface ResultVisit {
  readonly t: Translate;
  readonly request: { readonly headers: { readonly cookie?: string | undefined } };
  readonly query: { readonly done?: string | undefined; readonly note?: string | undefined };
  readonly refusal: Refusal | undefined;
  readonly isUnsent: boolean;
}

/** Returns the notice that says how the form went that led to the page; empty without one. */
export function resultOf(
  { t, request, query, refusal, isUnsent }: ResultVisit,
  { done = {}, notDone = {}, shows = [], showsRefusal = false }: ResultPage,
): string {
  if (refusal !== undefined) return showsRefusal ? '' : refusalOf(t, refusal.problem, shows);
  if (isUnsent) return notice('fault', t('page.frame.unsent'));
  // The address names a refusal, or a step that was not taken, and the cookie that says more is not there.
  const isLost = query.note !== undefined || query.done === withoutCookies;
  if (isLost && request.headers.cookie === undefined) return notice('fault', t('page.frame.no_cookies'));
  const { done: name = '' } = query;
  // `__proto__` is a member of every object.
  if (Object.hasOwn(notDone, name)) return notice('other', t(notDone[name] ?? ''));
  return Object.hasOwn(done, name) ? notice('done', t(done[name] ?? '')) : '';
}

/** Reasons for which a script cannot use a passkey, by the names that the script gives them. */
const scriptFaults = [
  'unsupported',
  'cancelled',
  'timeout',
  'address',
  'known',
  'refused',
  'busy',
  'unknown',
] as const;

/** Returns the hidden notice in which the script says why a passkey was not used. */
export function scriptNotice(t: Translate): string {
  const texts = scriptFaults.map((reason) => html`data-${reason}="${t(`page.script.${reason}`)}"`);
  return `<p class="notice fault" role="alert" tabindex="-1" data-failed hidden ${texts.join(' ')}></p>`;
}

// Pages that confirm an address and request another confirmation mail. Another browser than the one that registered is
// asked for the password of the registration, or for a new one.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import type { Problem } from '../../kit/problem.ts';
import { newPasswordField, refusalOf } from '../../page/form.ts';
import { paths } from '../../page/paths.ts';
import type { PageKit } from '../../page/page.ts';
import { accountField, addressOfAccount, type TokenFields, type TokenPage } from '../token/pages.ts';
import { verificationKind, type EmailVerification } from './verification.ts';
import { requestPage, type RequestPageParts } from '../token/request-page.ts';
import { addressOf, field, hidden } from '../../http/markup.ts';

/** The page that confirms the address and continues with the sign-in page. */
export function verificationPage(pages: PageKit, emailVerification: EmailVerification): TokenPage {
  return {
    kind: verificationKind,
    async redeem(fields, request) {
      const address = addressOfAccount(fields);
      const { token, password, new_password: newPassword } = fields;
      await emailVerification.redeem(address, token, request.source, { password, newPassword });
      return addressOf(paths.signIn, {
        done: 'confirmed',
        email: address.text,
        return_to: pages.returnTo(request),
      });
    },
    askMore: (fields, problem, request) => proofForms(pages, request, fields, problem),
  };
}

/** Problems that the password of the registration or a new password solves. */
const provable: readonly string[] = [
  'password_required',
  'same_browser_required',
  'password_wrong',
  'too_many_attempts',
];

/** Returns the forms for another browser: for the password of the registration, and for a new password. */
function proofForms(
  pages: PageKit,
  request: FastifyRequest,
  { email, token, by, password, new_password: newPassword }: TokenFields,
  problem: Problem,
): string | undefined {
  const isAsked = password !== undefined || newPassword !== undefined;
  const isProvable = problem.code === 'too_many_attempts' ? isAsked : provable.includes(problem.code);
  const isNewRejected = problem.fields.some(({ field: name }) => name === 'new_password');
  if (!isProvable && !isNewRejected) return undefined;
  const t = pages.translate(request);
  const { path } = verificationKind.page;
  const common = html`!${hidden('token', token)} !${hidden('by', by)}
  !${hidden('return_to', pages.returnTo(request))}`;
  const account = accountField(email);
  const hasPassword = problem.code !== 'same_browser_required';
  const known = html`<p>${t('page.confirm.elsewhere', { email })}</p>
    <form method="post" action="${path}">
      !${account} !${common}
      !${field({
        name: 'password',
        label: t('page.field.password'),
        type: 'password',
        autocomplete: 'current-password',
      })}
      <button>${t('page.confirm.act')}</button>
    </form>`;
  const isOpen = !hasPassword || isNewRejected;
  return html`!${problem.code === 'password_required' ? '' : refusalOf(t, problem, ['new_password'])}
    !${hasPassword ? known : ''}
    <details !${isOpen ? 'open' : ''}>
      <summary>${t('page.confirm.unknown')}</summary>
      <p>${t('page.confirm.unknown_what')}</p>
      <form method="post" action="${path}">
        !${account} !${common} !${newPasswordField(pages, t, { name: 'new_password', problem })}
        <button class="second">${t('page.confirm.unknown_act')}</button>
      </form>
    </details>`;
}

/** The page that requests another confirmation mail. */
export function confirmAgainPages({
  emailVerification,
  ...parts
}: RequestPageParts & { readonly emailVerification: EmailVerification }): FastifyPluginAsyncTypebox {
  return requestPage(parts, {
    path: paths.confirmAgain,
    name: 'confirm_again',
    kind: verificationKind,
    request: (email, source) => emailVerification.request(email, source),
  });
}

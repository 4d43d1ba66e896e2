// Builds the pages that mailed links open, and the pages for their codes. Opening a page changes nothing, because mail
// scanners open links too: only the form redeems the token.
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { costing, hashCost, hashing } from '../../http/limit/limits.ts';
import { addressOf, hidden, notice } from '../../http/markup.ts';
import { toEmailAddress } from '../../user/email-address.ts';
import { newPasswordField, refusalOf } from '../../page/form.ts';
import { form, formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { formField } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { codePage } from './code-page.ts';
import { accountField, tokenForm, otherLinks, type TokenPage, type TokenPageParts } from './page-parts.ts';

/** The page that the link of a mail opens, and the page for its code. */
export function tokenPages(parts: TokenPageParts, page: TokenPage): PageRoutes['routes'] {
  const own = [
    linkPage(parts, page),
    ...(page.kind.page.codePath === undefined ? [] : [codePage(parts, page)]),
  ];
  return async (scope, options) => {
    for (const { routes } of own) await routes(scope, options);
  };
}

interface LinkView {
  readonly email: string;
  readonly token: string;
  readonly isDone: boolean;
}

/** The page of a link: its form (GET), and what the form does (POST). */
function linkPage({ pages, cookies }: TokenPageParts, { kind, redeem, askMore }: TokenPage): PageRoutes {
  const { path, name, hasPassword = false, codePath, saysDone = false } = kind.page;
  return formPage<LinkView>(pages, {
    path,
    summary: 'Page that the link of a mail opens; changes nothing',
    title: ({ t }, { isDone }) => t(isDone ? `page.${name}.done_title` : `page.${name}.title`),
    query: Type.Object({ token: Type.Optional(formField) }),
    program: { message: 'redeem the token with this request', method: 'PUT', path: kind.route },
    hasSecretAddress: true,
    shows: ['new_password'],
    showsRefusal: true,
    done: saysDone ? { redeemed: `page.${name}.done` } : {},
    load: ({ query }) => ({
      email: query.email ?? '',
      token: query['token'] ?? '',
      isDone: saysDone && query.done === 'redeemed',
    }),
    body: (visit, view) => {
      const { t, refusal, next, inputs } = visit;
      if (view.isDone) return nextStep(visit);
      const more = refusal && askMore?.(visit, { action: path, ...view });
      if (more !== undefined) return more;
      const refused = refusalOf(t, refusal?.problem, ['new_password']);
      if (refusal !== undefined && isOver(refusal.problem))
        return html`!${refused} !${otherLinks(visit, kind, view.email)}`;
      if (view.token === '' || (kind.namesAccount && view.email === ''))
        return html`!${notice('fault', t(codePath === undefined ? 'page.link.cut' : 'page.link.incomplete'))}
        !${codePath === undefined ? '' : html`<p class="links"><a href="${addressOf(codePath, { return_to: next })}">${t('page.link.by_code')}</a></p>`}
        !${otherLinks(visit, kind, view.email)}`;
      const fields = hasPassword
        ? html`!${accountField(view.email)} !${newPasswordField(pages, visit, 'new_password')}`
        : hidden('email', view.email);
      return html`!${refused} !${otherAccount(visit, view.email)}
        <p>${t(`page.${name}.what`, { email: view.email })}</p>
        <form method="post" action="${path}">
          !${fields} !${hidden('token', view.token)} !${inputs}
          <button>${t(`page.${name}.act`)}</button>
        </form>`;
    },
    forms: [
      form({
        summary: 'Page: redeems the token of a mailed link',
        config: hasPassword ? hashing(hashCost) : costing(hashCost),
        fields: tokenForm,
        keeps: ['by'],
        back: ({ email, token }, { next }) => addressOf(path, { email, token, return_to: next }),
        submit: async ({ email = '', ...fields }, visit) => {
          const target = await redeem({ ...fields, email }, visit);
          cookies.requested.forget(visit.reply, visit.request.headers.cookie, kind);
          return target ?? addressOf(path, { done: 'redeemed', return_to: visit.next });
        },
      }),
    ],
  });
}

/** Returns a notice if another account is signed in here than that of the link. */
function otherAccount({ t, request: { session } }: Visit, email: string): string {
  if (session === null || email === '' || toEmailAddress(session.email)?.key === toEmailAddress(email)?.key)
    return '';
  return html`<p class="notice">${t('page.link.other_account', { email: session.email, other: email })}</p>`;
}

/** Returns whether a problem ends the link: neither a better password nor waiting solves it. */
function isOver({ fields, retryAfterSeconds }: Problem): boolean {
  return fields.length === 0 && retryAfterSeconds === undefined;
}

/** Returns the button that continues after a success. */
function nextStep({ t, request, next }: Visit): string {
  const { session } = request;
  const address = session === null ? addressOf(paths.signIn, { return_to: next }) : (next ?? paths.account);
  const label = t(session === null ? 'page.sign_in.title' : 'page.account.back');
  return html`<p><a class="button" href="${address}">${label}</a></p>`;
}

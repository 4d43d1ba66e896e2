// The page for the code of a requested mail. It can be opened again for as long as the browser remembers the request.
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing, hashCost, hashing, mailCost } from '../../http/limit/limits.ts';
import { addressOf, field } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';
import type { RequestedMail } from '../../http/cookie/requested-mails.ts';
import { faultOf, newPasswordField, refusalOf } from '../../page/form.ts';
import {
  Redirect,
  form,
  formPage,
  type PageForm,
  type PageRoutes,
  type Visit,
} from '../../page/form-page.ts';
import { missingCookies } from '../../http/cookie/result.ts';
import { paths } from '../../page/paths.ts';
import type { TokenKind } from './kinds.ts';
import {
  accountField,
  requestAgain,
  requestMail,
  tokenForm,
  type TokenPage,
  type TokenPageParts,
} from './page-parts.ts';

/** The page for the code of a requested mail. It belongs to the browser that requested the mail. */
export function codePage(
  { pages, cookies }: TokenPageParts,
  { kind, redeem, askMore, request: mail }: TokenPage,
): PageRoutes {
  const { codePath = '', requestPath = paths.signIn, hasPassword = false } = kind.page;
  const requestedBy = ({ request: { headers } }: Visit): RequestedMail | undefined =>
    cookies.requested.read(headers.cookie, kind);
  return formPage<RequestedMail>(pages, {
    path: codePath,
    summary: 'Page: takes the code of a mail',
    title: 'page.code.title',
    showsRefusal: true,
    load: (visit) =>
      requestedBy(visit) ??
      new Redirect(addressOf(requestPath, { return_to: visit.next, done: missingCookies(visit.request) })),
    body: (visit, { email, waitSeconds }) => {
      const { t, inputs, next, refusal } = visit;
      const more = refusal && askMore?.(visit, { action: codePath, email, token: visit.typed('token') });
      if (more !== undefined) return more;
      const kept = pages.keptMailPage;
      const again =
        mail === undefined
          ? requestAgain(t, kind, { email: undefined, return_to: next })
          : againForm(visit, codePath, waitSeconds);
      return html`!${refusalOf(t, refusal?.problem, ['token', 'new_password'])}
        <p>${t(`page.code.${kind.kind}`, { email })}</p>
        !${kept === undefined ? '' : html`<p class="notice"><a href="${kept.path}">${t(`page.${kept.name}.notice`)}</a></p>`}
        <form method="post" action="${codePath}">
          !${hasPassword ? accountField(email) : ''} !${inputs}
          !${field({
            name: 'token',
            label: t('page.field.code'),
            autocomplete: 'one-time-code',
            code: 'mail',
            value: visit.typed('token'),
            hint: t('page.code.hint'),
            fault: faultOf(t, refusal?.problem, 'token'),
          })}
          !${hasPassword ? newPasswordField(pages, visit, 'new_password') : ''}
          <button>${t(`page.code.${kind.kind}_act`)}</button>
        </form>
        !${again}
        <p class="links">
          <a href="${addressOf(requestPath, { return_to: next })}">${t('page.code.other_address')}</a>
        </p>`;
    },
    forms: [
      form({
        summary: 'Page: redeems a code',
        config: hasPassword ? hashing(hashCost) : costing(hashCost),
        fields: tokenForm,
        keeps: ['token', 'by'],
        back: (_fields, { next }) => addressOf(codePath, { return_to: next }),
        submit: async ({ token, password, new_password: newPassword }, visit) => {
          const requested = requestedBy(visit);
          if (requested === undefined) throw new Problem('token_invalid');
          const fields = { email: requested.email, token, password, new_password: newPassword };
          const target = await redeem(fields, visit);
          cookies.requested.forget(visit.reply, visit.request.headers.cookie, kind);
          return target ?? addressOf(kind.page.path, { done: 'redeemed', return_to: visit.next });
        },
      }),
      ...(mail === undefined ? [] : [resend({ pages, cookies }, { kind, codePath, requestPath, mail })]),
    ],
  });
}

interface Resend {
  readonly kind: TokenKind;
  readonly codePath: string;
  readonly requestPath: string;
  readonly mail: NonNullable<TokenPage['request']>;
}

/** Sends the mail again. Before the pause is over it sends none, and the page says how long to wait. */
function resend(parts: TokenPageParts, { kind, codePath, requestPath, mail }: Resend): PageForm {
  return form({
    path: `${codePath}/again`,
    summary: 'Page: sends the mail again',
    config: costing(mailCost),
    fields: Type.Object({}),
    back: (_fields, { next }) => addressOf(codePath, { return_to: next }),
    submit: async (_fields, visit) => {
      const { request, next } = visit;
      const requested = parts.cookies.requested.read(request.headers.cookie, kind);
      if (requested === undefined)
        return addressOf(requestPath, { return_to: next, done: missingCookies(request) });
      if (requested.waitSeconds === 0) await requestMail(parts, visit, { ...requested, kind, mail });
      return addressOf(codePath, { return_to: next });
    },
  });
}

/** Returns the sentence about the time after which the mail can be sent again: in seconds, or in minutes if it is long. */
function againText(t: Translate, seconds: number): string {
  return seconds > 90
    ? t('page.code.again_in_minutes', { minutes: Math.ceil(seconds / 60) })
    : t('page.code.again_in', { seconds });
}

/** Returns the form that sends the mail again. */
function againForm({ t, inputs }: Visit, codePath: string, waitSeconds: number): string {
  const isWaiting = waitSeconds > 0;
  // The script counts down in these sentences.
  const [second, seconds, minutes] = [1, 2, 120].map((wait) => againText(t, wait));
  return html`<form method="post" action="${codePath}/again" class="again">
    !${inputs}
    <p
      data-wait="${String(waitSeconds)}"
      data-second="${second}"
      data-seconds="${seconds}"
      data-minutes="${minutes}"
    >
      ${isWaiting ? againText(t, waitSeconds) : ''}
    </p>
    <button class="second" !${isWaiting ? 'aria-disabled="true"' : ''}>${t('page.code.ask_again')}</button>
  </form>`;
}

// Builds pages that ask for the email address to which a token is mailed.
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf } from '../../http/markup.ts';
import { costing, mailCost } from '../../http/limit/limits.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import { emailField, signedInNotice } from '../../page/form.ts';
import { form, formPage, type PageRoutes } from '../../page/form-page.ts';
import { formField } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { ClientSource } from '../context.ts';
import type { TokenKind } from './kinds.ts';
import { requestMail, type TokenPageParts } from './page-parts.ts';

export interface RequestPage {
  readonly path: string;
  /** Its messages are `page.<name>.…`. */
  readonly name: string;
  /** Kind of token that is mailed. */
  readonly kind: TokenKind;
  /** Mails the token, if the address has an account. */
  readonly request: (email: EmailAddress, source: ClientSource) => Promise<unknown>;
}

/** The page, whose form continues with the page for the code. */
export function requestPage(
  parts: TokenPageParts,
  { path, name, kind, request: mail }: RequestPage,
): PageRoutes {
  return formPage(parts.pages, {
    path,
    summary: 'Page: asks for the address to which a mail is sent',
    title: `page.${name}.title`,
    shows: ['email'],
    load: () => ({}),
    body: (visit) => {
      const { t, inputs, next } = visit;
      return html`!${signedInNotice(visit)}
        <p>${t(`page.${name}.what`)}</p>
        <form method="post" action="${path}">
          !${inputs} !${emailField(visit)}
          <button>${t(`page.${name}.act`)}</button>
        </form>
        <p class="links">
          <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.sign_up.sign_in')}</a>
        </p>`;
    },
    forms: [
      form({
        summary: 'Page: sends a mail',
        config: costing(mailCost),
        fields: Type.Object({ email: formField }),
        keeps: ['email'],
        submit: ({ email }, visit) => requestMail(parts, visit, { kind, email, mail }),
      }),
    ],
  });
}

// Requests another email address for the account of the signed-in user.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { field, notice } from '../../http/markup.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { mailCost } from '../../http/fields.ts';

import { rerenderOnProblem, formField, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { faultOf, refusalOf } from '../../page/form.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { initiatingSourceOf, type BrowserCookies } from '../../identity/guard.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import { hashing } from '../../http/limits.ts';
import { codeForm, type TokenPage } from '../../identity/token/pages.ts';
import type { Sessions } from '../../identity/session/session.ts';
import type { StepUp } from '../../identity/sign-in/step-up.ts';
import { emailChangeKind, emailUndoKind, type EmailChange } from './email-change.ts';
import { addressOf } from '../../http/markup.ts';

const AddressForm = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

export const addressSection = { path: '/account/address', name: 'address' } as const satisfies AccountSection;

/** The pages that change the address. */
export function emailChangePages({
  pages,
  cookies,
  sessions,
  stepUp,
  emailChange,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly sessions: Sessions;
  readonly stepUp: StepUp;
  readonly emailChange: EmailChange;
}): FastifyPluginAsyncTypebox {
  const { path } = addressSection;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    typed?: { email: string; problem: Problem },
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const session = sessionOf(request);
    const { hashedPassword } = await sessions.userOf(session);
    // Checked before the form is filled in: the last authentication may be too old.
    if (hashedPassword === null) await stepUp.requireRecent(session);
    else await stepUp.requireRecentSecond(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${notice('done', done === 'changed' ? t('page.email_change.done') : undefined)}
      <p>${t('page.address.what', { email: session.email })}</p>
      !${refusalOf(t, typed?.problem, ['email', 'password'])}
      <form method="post" action="${path}">
        !${pages.formToken(session.id)}
        !${field({
          name: 'email',
          label: t('page.field.new_email'),
          type: 'email',
          value: typed?.email ?? '',
          autocomplete: 'email',
          fault: faultOf(t, typed?.problem, 'email'),
        })}
        !${
          hashedPassword === null
            ? ''
            : field({
                name: 'password',
                label: t('page.field.current_password'),
                type: 'password',
                autocomplete: 'current-password',
              })
        }
        <button>${t('page.address.act')}</button>
      </form>`;
    return pages.sendAccount(request, reply, { title: t('page.address.title'), body: body });
  };

  return async (scope) => {
    scope.get(
      path,
      { schema: { summary: 'Page: your address', querystring: PageQuery } },
      async (request, reply) => show(request, reply),
    );
    scope.post(
      path,
      {
        config: hashing(mailCost),
        schema: { summary: 'Page: requests a change of the address', body: AddressForm },
      },
      async (request, reply) => {
        const { email, password, form_token: token } = request.body;
        const session = sessionOf(request);
        pages.requireForm(session.id, token);
        return rerenderOnProblem(
          reply,
          async () => {
            const source = initiatingSourceOf(request);
            const address = requireEmailAddress(email);
            await emailChange.request(session, { address, password }, source);
            cookies.setRequest(reply, source);
            return codeForm(pages, request, reply, { kind: emailChangeKind, email: address.text });
          },
          (problem) => show(request, reply, { email, problem }),
        );
      },
    );
  };
}

/** The page that redeems the token of the new address, in a session of the account. */
export function changePage({
  cookies,
  emailChange,
}: {
  readonly cookies: BrowserCookies;
  readonly emailChange: EmailChange;
}): TokenPage {
  return {
    kind: emailChangeKind,
    async redeem({ token }, request, reply) {
      const { session } = request;
      // Without a session, the user signs in and returns to the link.
      if (session === null)
        return addressOf(paths.signIn, { return_to: addressOf(emailChangeKind.page.path, { token }) });
      const { renewed } = await emailChange.redeem(session, token, request.source);
      cookies.renewSession(request, reply, renewed);
      return addressOf(addressSection.path, { done: 'changed' });
    },
  };
}

/** The page that restores the old address. */
export function undoPage(emailChange: EmailChange): TokenPage {
  return {
    kind: emailUndoKind,
    async redeem({ token }, request) {
      await emailChange.undo(token, request.source);
      return undefined;
    },
  };
}

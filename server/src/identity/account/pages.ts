// One's own account: where its pages are, the address, the password.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, notice } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';
import { ownSections } from '../../page/account-section.ts';
import { hashCost, mailCost } from '../../http/fields.ts';
import { admission, initiatingSourceOf, rememberBrowser, sessionOf, sourceOf } from '../sign-in/guard.ts';
import { faultOf, newPasswordField, refusalOf } from '../../page/page-form.ts';
import {
  formField,
  formToken,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  paths,
  requireForm,
  type PageRoom,
} from '../../page/page-guard.ts';
import { codeForm } from '../token/pages.ts';

const AddressForm = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  form_token: Type.Optional(formField),
});
const PasswordForm = Type.Object({
  password: formField,
  new_password: formField,
  form_token: Type.Optional(formField),
});

/** What stands above and below the parts of an account page. */
export function accountBody(t: Translate, parts: string): string {
  return html`!${parts}
    <p class="links"><a href="${paths.account}">${t('page.account.back')}</a></p>`;
}

/** Where password managers lead a person who is to change a password (W3C, A well-known URL for changing passwords). */
export const changePasswordPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope) => {
  scope.get(
    '/.well-known/change-password',
    { schema: { summary: 'Page: where a password is changed' } },
    async (_request, reply) => seeOther(reply, ownSections.password.path),
  );
};

/** Behind the member door for pages. */
export const accountPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { pages, sections } = room;
  scope.get(
    paths.account,
    { schema: { summary: 'Page: your account', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const session = sessionOf(request);
      const items = sections.map(
        ({ path, name }) =>
          html`<li>
            <a href="${path}"
              ><strong>${t(`page.${name}.title`)}</strong> <span>${t(`page.${name}.about`)}</span></a
            >
          </li>`,
      );
      const body = html`<p>${t('page.account.what', { email: session.email })}</p>
        <nav aria-label="${t('page.account.title')}">
          <ul class="sections">
            !${items}
          </ul>
        </nav>
        <form method="post" action="/sign-out">
          !${formToken(room, session.id)}
          <button class="second">${t('page.sign_out.act')}</button>
        </form>`;
      return pages.send(request, reply, { title: t('page.account.title'), body });
    },
  );
  await scope.register(addressPages, room);
  await scope.register(passwordPages, room);
};

const addressPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  const { path } = ownSections.address;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    typed?: { email: string; problem: Problem },
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword } = await auth.userOf(session);
    // Before the form is filled in: the last proof may be too old.
    if (hashedPassword === null) await auth.stepUp.requireRecent(session);
    else await auth.stepUp.requireRecentSecond(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${notice('done', done === 'changed' ? t('page.email_change.done') : undefined)}
      <p>${t('page.address.what', { email: session.email })}</p>
      !${refusalOf(t, typed?.problem, ['email', 'password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
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
    return pages.send(request, reply, { title: t('page.address.title'), body: accountBody(t, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your address', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    path,
    {
      ...admission(room),
      config: costing(mailCost),
      schema: { summary: 'Page: asks for another address', body: AddressForm },
    },
    async (request, reply) => {
      const { email, password, form_token: token } = request.body;
      const session = sessionOf(request);
      requireForm(room, session.id, token);
      return rerenderOnProblem(
        reply,
        async () => {
          const source = initiatingSourceOf(request, room);
          await auth.requestEmailChange(session, { email, password }, source);
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind: 'email_change', email });
        },
        (problem) => show(request, reply, { email, problem }),
      );
    },
  );
};

const passwordPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  const { path } = ownSections.password;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword, email } = await auth.userOf(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const title = t('page.password.title');
    if (hashedPassword === null) {
      const none = html`<p>${t('page.password.none')}</p>
        <p>
          <a class="button" href="${addressOf(paths.forgot, { email })}">${t('page.password.by_mail')}</a>
        </p>`;
      return pages.send(request, reply, { title, body: accountBody(t, none) });
    }
    await auth.stepUp.requireRecentSecond(session);
    const body = html`!${notice('done', done === 'changed' ? t('page.password.done') : undefined)}
      <p>${t('page.password.what')}</p>
      !${refusalOf(t, problem, ['new_password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
        <input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />
        !${field({
          name: 'password',
          label: t('page.field.current_password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        !${newPasswordField(room, t, { name: 'new_password', problem })}
        <button>${t('page.password.act')}</button>
      </form>`;
    return pages.send(request, reply, { title, body: accountBody(t, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your password', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    path,
    {
      ...admission(room),
      config: costing(2 * hashCost),
      schema: { summary: 'Page: sets another password', body: PasswordForm },
    },
    async (request, reply) => {
      const { password, new_password: next, form_token: token } = request.body;
      const session = sessionOf(request);
      requireForm(room, session.id, token);
      return rerenderOnProblem(
        reply,
        async () => {
          await auth.changePassword(session, { current: password, next }, sourceOf(request, room));
          return seeOther(reply, addressOf(path, { done: 'changed' }));
        },
        (problem) => show(request, reply, problem),
      );
    },
  );
};

// One's own account: where its pages are, the address, the password.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, notice } from '../../http/markup.ts';
import type { Say } from '../../http/pages.ts';
import { ownSections } from '../../page/account-section.ts';
import { hashCost, mailCost } from '../../http/fields.ts';
import { admission, askingSourceOf, rememberAsker, sessionOf, sourceOf } from '../sign-in/guard.ts';
import { faultOf, newPasswordField, refusalOf } from '../../page/page-form.ts';
import {
  formField,
  formToken,
  goOn,
  orAgain,
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
export function accountBody(say: Say, parts: string): string {
  return html`!${parts}
    <p class="links"><a href="${paths.account}">${say('page.account.back')}</a></p>`;
}

/** Where password managers lead a person who is to change a password (W3C, A well-known URL for changing passwords). */
export const changePasswordPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope) => {
  scope.get(
    '/.well-known/change-password',
    { schema: { summary: 'Page: where a password is changed' } },
    async (_request, reply) => goOn(reply, ownSections.password.path),
  );
};

/** Behind the member door for pages. */
export const accountPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { pages, sections } = room;
  scope.get(
    paths.account,
    { schema: { summary: 'Page: your account', querystring: PageQuery } },
    async (request, reply) => {
      const say = pages.speak(request);
      const session = sessionOf(request);
      const items = sections.map(
        ({ path, name }) =>
          html`<li>
            <a href="${path}"
              ><strong>${say(`page.${name}.title`)}</strong> <span>${say(`page.${name}.about`)}</span></a
            >
          </li>`,
      );
      const body = html`<p>${say('page.account.what', { email: session.email })}</p>
        <nav aria-label="${say('page.account.title')}">
          <ul class="sections">
            !${items}
          </ul>
        </nav>
        <form method="post" action="/sign-out">
          !${formToken(room, session.id)}
          <button class="second">${say('page.sign_out.act')}</button>
        </form>`;
      return pages.send(request, reply, { title: say('page.account.title'), body });
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
    const say = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword } = await auth.userOf(session);
    // Before the form is filled in: the last proof may be too old.
    if (hashedPassword === null) await auth.stepUps.requireRecent(session);
    else await auth.stepUps.requireRecentSecond(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${notice('done', done === 'changed' ? say('page.email_change.done') : undefined)}
      <p>${say('page.address.what', { email: session.email })}</p>
      !${refusalOf(say, typed?.problem, ['email', 'password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
        !${field({
          name: 'email',
          label: say('page.field.new_email'),
          type: 'email',
          value: typed?.email ?? '',
          autocomplete: 'email',
          fault: faultOf(say, typed?.problem, 'email'),
        })}
        !${
          hashedPassword === null
            ? ''
            : field({
                name: 'password',
                label: say('page.field.current_password'),
                type: 'password',
                autocomplete: 'current-password',
              })
        }
        <button>${say('page.address.act')}</button>
      </form>`;
    return pages.send(request, reply, { title: say('page.address.title'), body: accountBody(say, body) });
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
      return orAgain(
        reply,
        async () => {
          const source = askingSourceOf(request, room);
          await auth.requestEmailChange(session, { email, password }, source);
          rememberAsker(reply, room, source);
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
    const say = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword, email } = await auth.userOf(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const title = say('page.password.title');
    if (hashedPassword === null) {
      const none = html`<p>${say('page.password.none')}</p>
        <p>
          <a class="button" href="${addressOf(paths.forgot, { email })}">${say('page.password.by_mail')}</a>
        </p>`;
      return pages.send(request, reply, { title, body: accountBody(say, none) });
    }
    await auth.stepUps.requireRecentSecond(session);
    const body = html`!${notice('done', done === 'changed' ? say('page.password.done') : undefined)}
      <p>${say('page.password.what')}</p>
      !${refusalOf(say, problem, ['new_password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
        <input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />
        !${field({
          name: 'password',
          label: say('page.field.current_password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        !${newPasswordField(room, say, { name: 'new_password', problem })}
        <button>${say('page.password.act')}</button>
      </form>`;
    return pages.send(request, reply, { title, body: accountBody(say, body) });
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
      return orAgain(
        reply,
        async () => {
          await auth.changePassword(session, { current: password, next }, sourceOf(request, room));
          return goOn(reply, addressOf(path, { done: 'changed' }));
        },
        (problem) => show(request, reply, problem),
      );
    },
  );
};

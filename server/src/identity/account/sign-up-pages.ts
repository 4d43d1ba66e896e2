// Registers an account.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem, Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden } from '../../http/markup.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
import { hashCost, mailCost } from '../../http/fields.ts';
import { admission, rememberBrowser, sendLogin } from '../sign-in/guard.ts';
import { faultOf, newPasswordField, refusalOf } from '../../page/page-form.ts';
import {
  afterLogin,
  formField,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  paths,
  pageSourceOf,
  returnTo,
  type PageRoom,
  type SignInWay,
} from '../../page/page-guard.ts';
import { codeForm } from '../token/pages.ts';
import { verificationKind } from './verification.ts';

const SignUpForm = Type.Object({
  email: formField,
  password: formField,
  return_to: Type.Optional(formField),
});
const Hint = Type.Object({ fault: Type.Optional(Type.String()) });

export const signUpPages: FastifyPluginAsyncTypebox<
  PageRoom & { readonly ways: readonly SignInWay[] }
> = async (scope, room) => {
  const { pages, rules } = room;
  const { accounts, passwordLogin } = room.auth.identity;

  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    email = '',
    problem?: Problem,
  ): FastifyReply => {
    const t = pages.speak(request);
    const next = returnTo(room, request);
    const body = html`!${refusalOf(t, problem, ['email', 'password'])}
      <form method="post" action="${paths.signUp}">
        !${hidden('return_to', next)}
        !${field({
          name: 'email',
          label: t('page.field.email'),
          type: 'email',
          value: email,
          autocomplete: 'username',
          fault: faultOf(t, problem, 'email'),
        })}
        !${newPasswordField(room, t, { name: 'password', problem })}
        <button>${t('page.sign_up.act')}</button>
      </form>
      !${room.ways.map((way) => way.form(room, request, next))}
      <p class="links">
        <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.sign_up.sign_in')}</a>
      </p>`;
    return pages.send(request, reply, { title: t('page.sign_up.title'), body });
  };

  scope.get(
    paths.signUp,
    { schema: { summary: 'Page: make an account', querystring: PageQuery } },
    async (request, reply) => show(request, reply, request.query.email),
  );

  scope.post(
    paths.signUp,
    {
      ...admission(room),
      config: costing(mailCost),
      schema: { summary: 'Page: makes an account', body: SignUpForm },
    },
    async (request, reply) => {
      const { email, password } = request.body;
      return rerenderOnProblem(
        reply,
        async () => {
          const address = requireEmailAddress(email);
          const source = pageSourceOf(room, request);
          await registering(room, () => accounts.register(address, password, source));
          if (rules.confirmsEmail) {
            rememberBrowser(reply, room, source);
            return codeForm(room, request, reply, { kind: verificationKind, email: address.text });
          }
          const login = await passwordLogin.logIn(address, password, source);
          if (login === undefined) return seeOther(reply, addressOf(paths.signIn, { email: address.text }));
          sendLogin(reply, room, login);
          return seeOther(reply, afterLogin(login, source.returnTo));
        },
        (problem) => show(request, reply, email, problem),
      );
    },
  );

  // For the script: what is wrong with a password, before it is sent with the form.
  scope.post(
    `${paths.signUp}/password`,
    {
      config: costing(hashCost),
      schema: {
        summary: 'Page: says what is wrong with a password that somebody thinks of',
        body: Type.Object({ email: formField, password: formField }),
        response: { 200: Hint },
      },
    },
    async (request) => {
      const { email, password } = request.body;
      try {
        await accounts.requireGoodPassword(password, email);
        return {};
      } catch (error) {
        const problem = isProblem(error, 'invalid_request') ? error : undefined;
        const fault = faultOf(pages.speak(request), problem, 'password');
        if (fault === undefined) throw error;
        return { fault };
      }
    },
  );
};

/**
 * Registers; a taken address looks like a free one, where the rules hide accounts.
 * @throws {Problem} email_taken where they do not.
 */
export async function registering({ rules }: PageRoom, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    if (rules.revealAccounts) throw new Problem('email_taken');
  }
}

// Making an account, and the two mails that may be asked for without one: confirmation, and a new password.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem, Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden } from '../../http/markup.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
import type { ClientSource } from '../context.ts';
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
import './problem.ts';

const SignUpForm = Type.Object({
  email: formField,
  password: formField,
  return_to: Type.Optional(formField),
});
const EmailForm = Type.Object({ email: formField, return_to: Type.Optional(formField) });
const Hint = Type.Object({ fault: Type.Optional(Type.String()) });

export const signUpPages: FastifyPluginAsyncTypebox<
  PageRoom & { readonly ways: readonly SignInWay[] }
> = async (scope, room) => {
  const { auth, pages, rules } = room;

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
          const { text } = requireEmailAddress(email);
          const source = pageSourceOf(room, request);
          await registering(room, () => auth.registerUser(text, password, source));
          if (rules.emailConfirmation) {
            rememberBrowser(reply, room, source);
            return codeForm(room, request, reply, { kind: 'verification', email: text });
          }
          const login = await auth.logIn(text, password, source);
          if (login === undefined) return seeOther(reply, addressOf(paths.signIn, { email: text }));
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
        await auth.requireGoodPassword(password, email);
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

/** Asking for a new password. */
export const forgotPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  askPage(scope, room, {
    path: paths.forgot,
    name: 'forgot',
    kind: 'reset',
    ask: (email, source) => room.auth.requestReset(email, source),
  });
};

/** Asking for another mail that confirms an address. */
export const confirmAgainPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  askPage(scope, room, {
    path: '/confirm/again',
    name: 'confirm_again',
    kind: 'verification',
    ask: (email, source) => room.auth.requestVerification(email, source),
  });
};

interface AskPage {
  readonly path: string;
  /** Its messages are `page.<name>.…` */
  readonly name: string;
  readonly kind: 'reset' | 'verification';
  readonly ask: (email: string, source: ClientSource) => Promise<unknown>;
}

/** A page with one field, for an address to which a mail goes. */
function askPage(
  scope: Parameters<FastifyPluginAsyncTypebox>[0],
  room: PageRoom,
  { path, name, kind, ask }: AskPage,
): void {
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    email = '',
    problem?: Problem,
  ): FastifyReply => {
    const t = room.pages.speak(request);
    const next = returnTo(room, request);
    const body = html`<p>${t(`page.${name}.what`)}</p>
      !${refusalOf(t, problem, ['email'])}
      <form method="post" action="${path}">
        !${hidden('return_to', next)}
        !${field({
          name: 'email',
          label: t('page.field.email'),
          type: 'email',
          value: email,
          autocomplete: 'username',
          fault: faultOf(t, problem, 'email'),
        })}
        <button>${t(`page.${name}.act`)}</button>
      </form>
      <p class="links">
        <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.sign_up.sign_in')}</a>
      </p>`;
    return room.pages.send(request, reply, { title: t(`page.${name}.title`), body });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: ask for a mail', querystring: PageQuery } },
    async (request, reply) => show(request, reply, request.query.email),
  );
  scope.post(
    path,
    { config: costing(mailCost), schema: { summary: 'Page: sends a mail', body: EmailForm } },
    async (request, reply) =>
      rerenderOnProblem(
        reply,
        async () => {
          const { text } = requireEmailAddress(request.body.email);
          const source = pageSourceOf(room, request);
          await ask(text, source);
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind, email: text });
        },
        (problem) => show(request, reply, request.body.email, problem),
      ),
  );
}

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

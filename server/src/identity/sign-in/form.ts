// Renders the sign-in form: email and password, and the ways to sign in that modules add.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { faultOf, refusalOf } from '../../page/form.ts';
import { renderWays, type SignInWay } from '../../page/sign-in-way.ts';

/** Fields of the sign-in form. All of its buttons send the same fields. */
export const SignInBody = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  return_to: Type.Optional(formField),
});

export interface SignInFormParts {
  readonly pages: PageKit;
  readonly ways: readonly SignInWay[];
  /** True if users must confirm their address: the form then links to the request for another confirmation mail. */
  readonly emailConfirmation: boolean;
}

/** Renders the sign-in form. */
export class SignInForm {
  readonly #parts: SignInFormParts;

  constructor(parts: SignInFormParts) {
    this.#parts = parts;
  }

  /** Sends the form, with the problem of the previous attempt. */
  send(
    request: FastifyRequest,
    reply: FastifyReply,
    { email = '', problem }: { email?: string | undefined; problem?: Problem } = {},
  ): FastifyReply {
    const { pages, ways, emailConfirmation } = this.#parts;
    const t = pages.translate(request);
    const next = pages.returnTo(request);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${done === 'password' ? notice('done', t('page.reset.done')) : ''}
      !${done === 'confirmed' ? notice('done', t('page.confirm.done')) : ''}
      !${done === 'signed_out' ? notice('done', t('page.sign_out.done')) : ''}
      !${refusalOf(t, problem, ['email'])}
      <form method="post" action="${paths.signIn}">
        !${hidden('return_to', next)}
        !${field({
          name: 'email',
          label: t('page.field.email'),
          type: 'email',
          value: email,
          autocomplete: 'username webauthn',
          fault: faultOf(t, problem, 'email'),
        })}
        !${field({
          name: 'password',
          label: t('page.field.password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        <button>${t('page.sign_in.act')}</button>
        !${renderWays(ways, 'form', request, next)}
      </form>
      !${renderWays(ways, 'below', request, next)}
      <p class="links">
        <a href="${addressOf(paths.forgot, { return_to: next })}">${t('page.sign_in.forgot')}</a>
        <a href="${addressOf(paths.signUp, { return_to: next })}">${t('page.sign_in.sign_up')}</a>
        !${
          emailConfirmation
            ? html`<a href="${addressOf(paths.confirmAgain, { return_to: next })}"
                >${t('page.sign_in.confirm')}</a
              >`
            : ''
        }
      </p>`;
    return pages.send(request, reply, { title: t('page.sign_in.title'), body });
  }
}

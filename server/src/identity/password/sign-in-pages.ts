// The sign-in page, which signs in by password.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Problem } from '../../kit/problem.ts';
import { hashCost } from '../../http/fields.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { SignInBody, type SignInForm } from '../sign-in/form.ts';
import { seeOther, rerenderOnProblem, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { BrowserCookies } from '../guard.ts';
import { sendLogin, afterLogin } from '../sign-in/guard.ts';
import { hashing } from '../../http/limits.ts';
import type { PasswordLogin } from './login.ts';
import '../session/problem.ts';

/** The page, at the access level `optional`: it redirects users who are signed in. */
export function signInPages({
  pages,
  signInForm,
}: {
  readonly pages: PageKit;
  readonly signInForm: SignInForm;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      paths.signIn,
      { schema: { summary: 'Page: sign in', querystring: PageQuery } },
      async (request, reply) => {
        if (request.session !== null) return seeOther(reply, pages.returnTo(request) ?? paths.account);
        return signInForm.send(request, reply, { email: request.query.email });
      },
    );
  };
}

/** What its form sends, at the access level `open`: a session of the browser is not looked up before the password. */
export function signInFormPages({
  pages,
  cookies,
  signInForm,
  passwordLogin,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly signInForm: SignInForm;
  readonly passwordLogin: PasswordLogin;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      paths.signIn,
      { config: hashing(hashCost), schema: { summary: 'Page: signs in', body: SignInBody } },
      async (request, reply) => {
        const { email, password = '' } = request.body;
        return rerenderOnProblem(
          reply,
          async () => {
            const address = requireEmailAddress(email);
            const login = await passwordLogin.logIn(address, password, request.source);
            if (login === undefined) throw new Problem('invalid_credentials');
            sendLogin(reply, cookies, login);
            return seeOther(reply, afterLogin(login, pages.returnTo(request)));
          },
          (problem) => signInForm.send(request, reply, { email, problem }),
        );
      },
    );
  };
}

// Serves the pages that belong to no module: the start page, the choice of a language, and the way to an application.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { Message } from '../../http/fields.ts';
import { wantsPage } from '../../http/pages.ts';
import { exitPath, placeOf } from '../../page/exit.ts';
import { form, pageForms } from '../../page/form-page.ts';
import { formField, seeOther, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { Accounts } from '../../identity/account/account.ts';
import type { SessionGuardParts } from '../../identity/session/guard.ts';

/** `GET /`: answers programs with JSON and shows people where to sign in. */
export function homeRoutes({
  pages,
  sessions,
  cookies,
}: SessionGuardParts & { readonly pages: PageKit }): FastifyPluginAsync {
  const welcome = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const t = pages.translate(request);
    if ((await sessions.find(cookies.session.read(request.headers.cookie))) !== undefined)
      return seeOther(reply, paths.account);
    const kept = pages.keptMailPage;
    const local = [...(kept === undefined ? [] : [kept]), ...pages.localPages];
    const tools = pages.keepsMails
      ? html`<section>
          <h2>${t('page.welcome.local')}</h2>
          <p>${t('page.welcome.local_what')}</p>
          <ul>
            !${local.map(({ path, name }) => html`<li><a href="${path}">${t(`page.${name}.title`)}</a></li>`)}
            <li><a href="/openapi.json">${t('page.welcome.api')}</a></li>
          </ul>
        </section>`
      : '';
    const body = html`<p>${t(pages.isSignUpOpen ? 'page.welcome.what' : 'page.problem.session_required')}</p>
      <p class="actions">
        <a class="button" href="${paths.signIn}">${t('page.sign_in.title')}</a>
        !${
          pages.isSignUpOpen
            ? html`<a class="button second" href="${paths.signUp}">${t('page.sign_up.title')}</a>`
            : ''
        }
      </p>
      !${tools}`;
    return pages.send(request, reply, {
      title: t('page.welcome.title', { product: pages.productName }),
      body,
    });
  };
  const routes: FastifyPluginAsyncTypebox = async (scope) => {
    scope.route({
      method: ['GET', 'DELETE'], // a browser's fetch repeats DELETE on the target of a 302
      url: '/',
      schema: { summary: 'Returns a greeting', response: { 200: Message } },
      handler: async (request, reply) =>
        request.method === 'GET' && wantsPage(request) ? welcome(request, reply) : { message: 'Bienvenue' },
    });
  };
  return routes;
}

/** Returns the address to return to, if it is a page of this service. */
function ownPage(next: string | undefined): string {
  return next?.startsWith('/') === true ? next : '/';
}

/** Sets the language in a cookie, and in the account if the user is signed in. */
export function languagePages({
  pages,
  accounts,
}: {
  readonly pages: PageKit;
  readonly accounts: Accounts;
}): FastifyPluginAsync {
  return pageForms(pages, {
    forms: [
      form({
        path: '/language',
        summary: 'Page: chooses the language of the pages',
        fields: Type.Object({ language: formField }),
        back: (_fields, { next }) => ownPage(next),
        submit: async ({ language }, { request, reply, next }) => {
          if (pages.languages.isSupported(language)) {
            void reply.header('set-cookie', pages.languageCookie(language));
            if (request.session !== null) await accounts.setLanguage(request.session.userId, language);
          }
          return ownPage(next);
        },
      }),
    ],
  });
}

/** The page that continues at an application by itself, and has a link for browsers that do not. */
export function exitPages(pages: PageKit): FastifyPluginAsync {
  const routes: FastifyPluginAsyncTypebox = async (scope) => {
    scope.get(
      exitPath,
      {
        schema: {
          summary: 'Page: continues at an application',
          querystring: Type.Object({ to: Type.Optional(Type.String({ maxLength: 8000 })) }),
        },
      },
      async (request, reply) => {
        const target = pages.exits.open(request.query.to ?? '');
        if (target === undefined) throw new Problem('not_found');
        const t = pages.translate(request);
        const body = html`<p>${t('page.exit.what', { host: placeOf(target.href) })}</p>
          <p><a class="button" href="${target.href}">${t('page.exit.act')}</a></p>`;
        return pages.send(request, reply, {
          title: t('page.exit.title'),
          body,
          continuesAt: target.href,
          hasSecretAddress: true,
        });
      },
    );
  };
  return routes;
}

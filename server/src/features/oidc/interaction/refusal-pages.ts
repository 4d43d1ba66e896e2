// The page that says why the provider refused a request of an application.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../../kit/problem.ts';
import { notice } from '../../../http/markup.ts';
import type { PageKit } from '../../../page/page.ts';
import { paths } from '../../../page/paths.ts';
import { refusalPath, type Refusals } from '../session/refusal.ts';
import { loginLink } from './login-link.ts';

export interface RefusalPageParts {
  readonly pages: PageKit;
  readonly refusals: Refusals;
}

/** The page, at the access level `open`. */
export function refusalPages({ pages, refusals }: RefusalPageParts): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      refusalPath,
      {
        schema: {
          summary: 'Page: why a request of an application was refused',
          querystring: Type.Object({ to: Type.Optional(Type.String({ maxLength: 8000 })) }),
        },
      },
      async (request, reply) => {
        const refusal = refusals.open(request.query.to ?? '');
        if (refusal === undefined) throw new Problem('not_found');
        const { error, description, clientName, again, isLogout = false } = refusal;
        const t = pages.translate(request);
        const link = loginLink(again, pages.publicOrigin);
        const name = clientName ?? t(isLogout ? 'page.oidc.some_application' : 'page.oidc.an_application');
        const body = html`!${notice('fault', t(isLogout ? 'page.oidc.sign_out_refused' : 'page.oidc.refused', { name }))}
          <p>${t('page.oidc.refused_next')}</p>
          !${isLogout ? html`<p><a class="button" href="${paths.signOut}">${t('page.sign_out.act')}</a></p>` : ''}
          !${link === undefined ? '' : html`<p><a class="button" href="${link}">${t('page.oidc.start_again', { name })}</a></p>`}
          <p>
            <small
              >${t('page.oidc.for_developers')} <code lang="en">${error}</code> !${
                description === undefined ? '' : html`<span lang="en">${description}</span>`
              }</small
            >
          </p>
          <p class="links"><a href="/">${t('page.problem.home')}</a></p>`;
        return pages.send(request, reply.status(400), {
          title: t(isLogout ? 'page.oidc.sign_out_refused_title' : 'page.oidc.refused_title'),
          body,
        });
      },
    );
  };
}

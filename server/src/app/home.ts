// The pages that belong to no room: the welcome, setting a factor up before anything else opens, the choice of language,
// and what is shown where something went wrong.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { languages } from '../kit/language.ts';
import { getProblem, type Problem } from '../kit/problem.ts';
import { addressOf, notice } from '../http/markup.ts';
import { wantsPage } from '../http/pages.ts';
import { sendProblem, type ProblemSender } from '../http/problem-handler.ts';
import type { AccountSection } from '../page/account-section.ts';
import { pendingAuthenticationOf } from '../identity/sign-in/guard.ts';
import {
  formField,
  seeOther,
  PageQuery,
  paths,
  recoveryPage,
  returnTo,
  type PageRoom,
} from '../page/page-guard.ts';

/** What the service is, and where to go. */
export function welcome(
  room: PageRoom,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  return async (request, reply) => {
    const t = room.pages.speak(request);
    const session = await room.auth.getSession(room.cookie.read(request.headers.cookie));
    if (session !== undefined) return seeOther(reply, paths.account);
    const local = room.keepsMails
      ? html`<section>
          <h2>${t('page.welcome.local')}</h2>
          <p>${t('page.welcome.local_what')}</p>
          <ul>
            <li><a href="/dev/mailbox">${t('page.mailbox.title')}</a></li>
            <li><a href="/openapi.json">${t('page.welcome.api')}</a></li>
          </ul>
        </section>`
      : '';
    const body = html`<p>${t('page.welcome.what', { product: room.pages.productName })}</p>
      <p class="actions">
        <a class="button" href="${paths.signIn}">${t('page.sign_in.title')}</a>
        <a class="button second" href="${paths.signUp}">${t('page.sign_up.title')}</a>
      </p>
      !${local}`;
    return room.pages.send(request, reply, { title: room.pages.productName, body });
  };
}

const LanguageForm = Type.Object({ language: formField, return_to: Type.Optional(formField) });

/** The choice of a language: kept in the browser, and with the account of whoever is signed in. */
export const languagePages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages, cookie } = room;
  scope.post(
    '/language',
    { schema: { summary: 'Page: chooses the language of the pages', body: LanguageForm } },
    async (request, reply) => {
      const { language } = request.body;
      if (languages().includes(language)) {
        void reply.header('set-cookie', pages.languageCookie(language));
        const session = await auth.getSession(cookie.read(request.headers.cookie));
        if (session !== undefined) await auth.setLanguage(session.userId, language);
      }
      const back = returnTo(room, request);
      return seeOther(reply, back?.startsWith('/') === true ? back : '/');
    },
  );
};

/** For whoever must set a second factor up before anything else opens: the ways to do so. */
export const setUpPages: FastifyPluginAsyncTypebox<
  PageRoom & { readonly factorSections: readonly AccountSection[] }
> = async (scope, room) => {
  scope.get(
    paths.setUp,
    { schema: { summary: 'Page: set a second factor up', querystring: PageQuery } },
    async (request, reply) => {
      const t = room.pages.speak(request);
      const next = returnTo(room, request);
      if (pendingAuthenticationOf(request).kind !== 'enrollment')
        return seeOther(reply, addressOf(paths.factor, { return_to: next }));
      const items = room.factorSections.map(
        ({ path, name }) =>
          html`<li>
            <a href="${addressOf(path, { return_to: next })}"
              ><strong>${t(`page.${name}.title`)}</strong> <span>${t(`page.${name}.about`)}</span></a
            >
          </li>`,
      );
      const body = html`<p>${t('page.set_up.what')}</p>
        <ul class="sections">
          !${items}
        </ul>`;
      return room.pages.send(request, reply, { title: t('page.set_up.title'), body });
    },
  );
};

/** Shows a refusal to a person, or sends them where it is mended, and tells everybody else in JSON. */
export function pageSender(room: PageRoom, pagePaths: ReadonlySet<string>): ProblemSender {
  return async (problem, request, reply) => {
    const isPage = pagePaths.has(request.routeOptions.url ?? '');
    if (!wantsPage(request) || (!isPage && request.method !== 'GET'))
      return sendProblem(problem, request, reply);
    const remedy = isPage ? recoveryPage(room, problem, request) : undefined;
    await (remedy === undefined ? sendProblemPage(room, request, reply, problem) : seeOther(reply, remedy));
  };
}

/** A page for a problem that no form shows: what it is, and what may be done. */
export function sendProblemPage(
  room: PageRoom,
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
): FastifyReply {
  const t = room.pages.speak(request);
  const { code, retryAfterSeconds } = problem;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  const { status } = getProblem(code);
  const isOurs = status >= 500;
  const body = html`!${notice('fault', t(`page.problem.${code}`))}
    !${isOurs ? html`<p><small>${t('page.problem.id', { id: request.id })}</small></p>` : ''}
    <p class="links"><a href="/">${t('page.problem.home')}</a></p>`;
  const title = code === 'not_found' ? t('page.problem.not_found_title') : t('page.problem.title');
  return room.pages.send(request, reply.status(status), { title, body });
}

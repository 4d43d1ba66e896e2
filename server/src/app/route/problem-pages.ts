// Shows problems: as pages outside of forms, and each at the address of its type.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { findProblem, getProblem, Problem } from '../../kit/problem.ts';
import { addressOf, notice } from '../../http/markup.ts';
import { wantsPage } from '../../http/pages.ts';
import { problemType, sendProblem, type ProblemSender } from '../../http/reply/problem-handler.ts';
import { problemText } from '../../page/form.ts';
import { seeOther, type PageKit } from '../../page/page.ts';
import { openerOf, recoveryPage } from '../../page/recovery.ts';

const ProblemDescription = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
});

/** Describes each problem at the address of its `type`. */
export const problemRoutes: FastifyPluginAsyncTypebox = async (scope) => {
  scope.get(
    '/problems/:code',
    {
      schema: {
        summary: 'Describes a problem',
        params: Type.Object({ code: Type.String({ description: 'Code of a problem' }) }),
        response: { 200: ProblemDescription },
      },
    },
    async (request) => {
      const { code } = request.params;
      const problem = findProblem(code);
      if (problem === undefined) throw new Problem('not_found');
      return { type: problemType(code), title: problem.title, status: problem.status, code };
    },
  );
};

/** Returns a function that shows a problem as a page or redirects to the page that solves it. Programs get JSON. */
export function pageSender(pages: PageKit): ProblemSender {
  return async (problem, request, reply) => {
    const opener = openerOf(request);
    const isPage = opener !== undefined || pages.paths.has(request.routeOptions.url ?? '');
    if (!wantsPage(request) || (!isPage && request.method !== 'GET'))
      return sendProblem(problem, request, reply);
    // The address of a form may be opened too, for example where a problem of the form was shown.
    const isOpened = request.method === 'GET' && problem.code === 'method_not_allowed';
    const answer =
      request.method === 'POST' || isOpened ? pages.forms.get(request.routeOptions.url ?? '') : undefined;
    const page =
      answer === undefined
        ? (opener ?? addressOfPage(pages, request))
        : await answer({ problem, request, reply });
    if (answer !== undefined) {
      if (page === undefined) return; // it has answered
      if (isOpened) return void seeOther(reply, page);
    }
    const next = pages.returnTo(request);
    const recovery = isPage ? recoveryPage(problem, request, { page, next }) : undefined;
    if (recovery !== undefined) {
      pages.notes.results.leave(reply, recovery);
      return void seeOther(reply, recovery);
    }
    const mayTryAgain = answer !== undefined || problem.retryAfterSeconds !== undefined;
    sendProblemPage(pages, request, reply, problem, mayTryAgain ? page : undefined);
  };
}

/** Returns the address of the requested page; `undefined` if the request is for no page. */
function addressOfPage(
  pages: PageKit,
  { method, url, routeOptions, query }: FastifyRequest,
): string | undefined {
  if (method !== 'GET' || !pages.paths.has(routeOptions.url ?? '')) return undefined;
  const { pathname } = new URL(url, 'http://path.invalid');
  return addressOf(pathname, { ...pages.queries.parse(query) });
}

/**
 * Sends the page of a problem that no form shows: the problem, and a link to the start page, or to the page with which the
 * user can try again.
 */
export function sendProblemPage(
  pages: PageKit,
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
  back?: string,
): FastifyReply {
  const t = pages.translate(request);
  const { code, retryAfterSeconds } = problem;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  const { status } = getProblem(code);
  const isOurs = status >= 500;
  const text = problemText(t, problem);
  const body = html`!${code === 'not_found' ? html`<p>${text}</p>` : notice('fault', text)}
    !${isOurs ? html`<p><small>${t('page.problem.id', { id: request.id })}</small></p>` : ''}
    !${back === undefined ? '' : html`<p><a class="button" href="${back}">${t('page.problem.again')}</a></p>`}
    <p class="links"><a href="/">${t('page.problem.home')}</a></p>`;
  const title = code === 'not_found' ? t('page.problem.not_found_title') : t('page.problem.title');
  return pages.send(request, reply.status(status), { title, body });
}

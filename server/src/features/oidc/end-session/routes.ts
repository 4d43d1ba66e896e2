// The endpoint at which applications sign a user out (OpenID Connect RP-Initiated Logout 1.0). It ends a session without
// a question only if the application presents an ID token of this session: a link on any page must not sign users out.
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type Provider from 'oidc-provider';
import { forAnySite, otherProtocol } from '../../../http/origin/cross-site.ts';
import { formAsQuery } from '../../../http/form-query.ts';
import { addressOf } from '../../../http/markup.ts';
import { noteReason } from '../../../http/server/request-log.ts';
import type { PageKit } from '../../../page/page.ts';
import type { BrowserCookies } from '../../../identity/browser-cookies.ts';
import type { Sessions } from '../../../identity/session/session.ts';
import { oidcPaths } from '../engine/paths.ts';
import type { Refusals } from '../session/refusal.ts';
import type { SealedState } from '../session/sealed-state.ts';
import type { SessionView } from '../session/session-view.ts';
import { withValue } from '../wire/refusal-reason.ts';
import { afterLogout, readLogoutRequest, type LogoutQuestion } from './logout-request.ts';

export interface EndSessionParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly sessions: Pick<Sessions, 'end'>;
  readonly view: Pick<SessionView, 'hasIssued'>;
  readonly provider: () => Promise<Provider>;
  readonly refusals: Pick<Refusals, 'addressOf'>;
  readonly questions: SealedState<LogoutQuestion>;
}

/** The endpoint, at the access level `optional`. */
export function endSessionRoutes(parts: EndSessionParts): FastifyPluginAsync {
  return async (scope) => {
    scope.get(
      oidcPaths.endSession,
      // A HEAD would end the session too.
      { config: otherProtocol, exposeHeadRoute: false, schema: { hide: true } },
      async (request, reply) => endSession(parts, request, reply),
    );
    scope.post(
      oidcPaths.endSession,
      { config: { ...forAnySite, ...otherProtocol }, schema: { hide: true } },
      formAsQuery(oidcPaths.endSession, (description, request) => {
        noteReason(request.raw, { reason: description });
        return parts.refusals.addressOf({ error: 'invalid_request', description, isLogout: true });
      }),
    );
  };
}

async function endSession(
  { pages, cookies, sessions, view, provider, refusals, questions }: EndSessionParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const query = request.query as Readonly<Record<string, string | string[]>>;
  const wanted = await readLogoutRequest(await provider(), query);
  if ('error' in wanted) {
    const { error, description, client, uri } = wanted;
    noteReason(request.raw, {
      reason: uri === undefined ? description : withValue(description, uri),
      client: client?.id,
    });
    const refusal = { error, description, clientName: client?.name, isLogout: true };
    return reply.redirect(refusals.addressOf(refusal), 303);
  }
  const { idToken, clientName, target } = wanted;
  const { session, source } = request;
  if (session !== null) {
    if (idToken === undefined || !(await view.hasIssued(session, idToken))) {
      const to = questions.seal({ clientName, target });
      const { ui_locales } = pages.queries.parse(query);
      return reply.redirect(addressOf(oidcPaths.endSessionQuestion, { to, ui_locales }), 303);
    }
    await sessions.end(session.id, source);
    cookies.clearSession(reply);
  }
  return pages.go({ request, reply }, afterLogout(target));
}

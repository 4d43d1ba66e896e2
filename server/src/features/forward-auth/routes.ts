// Answers a proxy that asks before it forwards a request: nginx `auth_request`, Caddy `forward_auth`, Traefik
// `ForwardAuth`. Browsers send the session cookie to our host name alone, so the applications must be served on that
// name, behind the same proxy.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { formatInstant } from '../../kit/clock.ts';
import { fieldProblem, isProblem, Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { seeOther, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { freeRead } from '../../http/limit/limits.ts';
import { addressOf } from '../../http/markup.ts';
import { errorHandler } from '../../http/reply/problem-handler.ts';
import type { Details } from '../../identity/details/details.ts';
import type { SecondFactors } from '../../identity/factor/second-factor.ts';
import type { Sessions } from '../../identity/session/session.ts';
import type { AuthenticationRequirement, StepUp } from '../../identity/step-up/step-up.ts';
import { ForwardedRequest } from './forwarded-request.ts';
import './problem.ts';

const Who = Type.Object({
  id: Type.Integer(),
  subject: Type.String({ description: 'Opaque stable identifier of the user' }),
  email: Type.String(),
  name: Type.Optional(Type.String()),
  amr: Type.Optional(Type.Array(Type.String(), { description: 'Authentication methods (RFC 8176)' })),
  auth_time: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'When the user last gave a factor: a second one, if there is one among them',
    }),
  ),
});

/** Below, the time to return from the step-up page would count: the user would be asked again and again. */
const minAgeSeconds = 30;

// A requirement whose name is misspelled must not let everyone pass.
const Question = Type.Object(
  {
    sign_in: Type.Optional(
      Type.Literal('redirect', {
        description:
          'Redirects a browser that opens a page to the sign-in page, and back to `X-Forwarded-Uri`; everything else gets 401',
      }),
    ),
    factor: Type.Optional(
      Type.String({
        pattern: '^[a-z_]{1,32}$',
        description: 'Requires a second factor in this session: `second` for any, or the name of one',
      }),
    ),
    max_age: Type.Optional(
      Type.String({
        pattern: '^\\d{1,9}$',
        description: `Requires a factor that was given within this number of seconds, at least ${minAgeSeconds}`,
      }),
    ),
    details: Type.Optional(Type.Literal('true', { description: 'Adds `Remote-Amr` and `Remote-Auth-Time`' })),
  },
  { additionalProperties: false },
);

interface ForwardAuthParts {
  readonly db: Database;
  readonly details: Details;
  readonly pages: PageKit;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
  readonly stepUp: StepUp;
}

export function forwardAuthRoutes({
  db,
  details,
  pages,
  secondFactors,
  sessions,
  stepUp,
}: ForwardAuthParts): FastifyPluginAsyncTypebox {
  /** @throws {Problem} invalid_request for a requirement that no session can meet. */
  const requirementOf = ({
    factor,
    max_age: age,
  }: {
    factor?: string;
    max_age?: string;
  }): AuthenticationRequirement => {
    const { requirable } = secondFactors;
    if (factor !== undefined && !requirable.includes(factor))
      throw fieldProblem(
        'factor',
        `must be one of the second factors of this service: ${requirable.join(', ')}`,
      );
    const maxAgeSeconds = age === undefined ? undefined : Number(age);
    if (maxAgeSeconds !== undefined && maxAgeSeconds < minAgeSeconds)
      throw fieldProblem('max_age', `is less than ${minAgeSeconds} seconds`);
    return { factor, maxAgeSeconds };
  };

  const sendJson = errorHandler();
  return async (scope) => {
    // Only a person reads a problem as a page. A script may accept HTML too, and gets JSON nevertheless.
    scope.setErrorHandler((error, request, reply) => {
      if (new ForwardedRequest(request.headers).isNavigation) throw error;
      return sendJson(error, request, reply);
    });
    scope.get(
      '/forward_auth',
      {
        config: freeRead,
        schema: {
          summary:
            'For proxies: returns the signed-in user in headers; otherwise 401, or a redirect to sign in',
          querystring: Question,
          response: { 200: Who },
        },
        // node:http writes headers and a text body as one UTF-8 string, which would encode the bytes of asHeader a
        // second time. With a body of bytes, the headers stay as they are.
        onSend: (_request, _reply, payload, done) =>
          done(null, typeof payload === 'string' ? Buffer.from(payload) : payload),
      },
      async (request, reply) => {
        const { session, query, headers } = request;
        const requirement = requirementOf(query);
        const forwarded = new ForwardedRequest(headers);
        /** Redirects to a page that solves a problem, and back; `undefined` if there is no person to follow. */
        const redirect = (path: string, more: Readonly<Record<string, string | undefined>> = {}) => {
          if (query.sign_in !== 'redirect' || !forwarded.isNavigation) return undefined;
          const target = forwarded.returnTarget((text) => pages.parseTarget(text));
          return seeOther(reply, addressOf(`${pages.publicOrigin}${path}`, { return_to: target, ...more }));
        };
        if (session === null) {
          const redirected = redirect(paths.signIn);
          if (redirected === undefined) throw new Problem('sign_in_required');
          return redirected;
        }
        if (requirement.factor !== undefined || requirement.maxAgeSeconds !== undefined) {
          try {
            await stepUp.requireRecent(session, requirement);
          } catch (error) {
            const { factor, max_age } = query;
            const redirected = isProblem(error, 'step_up_required')
              ? redirect(paths.stepUp, { factor, max_age })
              : undefined;
            if (redirected === undefined) throw error;
            return redirected;
          }
        }
        const { userId: id, email, name } = session;
        const subject = await details.subjectOf(session);
        if (subject === undefined) throw new Problem('sign_in_required'); // the account was just removed
        // Every header is in every reply, with empty text for no value: Caddy would pass on the name of its variable.
        void reply
          .header('remote-user', String(id))
          .header('remote-subject', subject)
          .header('remote-email', asHeader(email))
          .header('remote-name', asHeader(name ?? ''));
        const who = { id, subject, email, ...(name !== null && { name }) };
        if (query.details !== 'true') return who;
        const uses = await sessions.factorsOf(db, session.id);
        const amr = secondFactors.methodsOf(uses);
        // A session that a program created has no factor.
        const { at } = await secondFactors.proofOf(session.userId, uses);
        const auth_time = at === undefined ? undefined : formatInstant(at);
        void reply.header('remote-amr', amr.join(',')).header('remote-auth-time', auth_time ?? '');
        return auth_time === undefined ? who : { ...who, amr, auth_time };
      },
    );
  };
}

/** Returns the UTF-8 bytes as one character each, which Node writes unchanged. */
function asHeader(text: string): string {
  return Buffer.from(text).toString('latin1');
}

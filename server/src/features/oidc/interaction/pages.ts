// Continues an authorization request: at the sign-in, at step-up, or with a question that only the person can answer.
// The page at the address of the request decides each time, so that it can be opened again after any of them.
import Type from 'typebox';
import { Problem } from '../../../kit/problem.ts';
import { addressOf } from '../../../http/markup.ts';
import { form, formPage, type PageRoutes, type Visit } from '../../../page/form-page.ts';
import { formField, type PageKit } from '../../../page/page.ts';
import type { BrowserCookies } from '../../../identity/browser-cookies.ts';
import type { Sessions } from '../../../identity/session/session.ts';
import { oidcPaths } from '../engine/paths.ts';
import type { Browser, PendingRequest } from '../engine/pending-request.ts';
import { requestExpired } from '../engine/problem.ts';
import { stateField } from '../session/sealed-state.ts';
import { decide, isOfOtherSession, type DecisionParts, type Ended, type Question } from './decision.ts';
import { recordAllowed, type AllowedEvents } from './event.ts';
import { questionBody } from './question-body.ts';

export interface InteractionPageParts extends Omit<DecisionParts, 'isSignUpOpen'> {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly events: AllowedEvents;
  readonly sessions: Pick<Sessions, 'end'>;
}

/** Prompts that ask which account to continue with. */
const choices: ReadonlySet<string> = new Set(['create', 'select_account']);

const uidForm = /^[\w-]{20,60}$/;

/** The page, at the access level `optional`. */
export function interactionPages(parts: InteractionPageParts): PageRoutes['routes'] {
  const { pages, requests } = parts;
  return formPage<Question | Ended>(pages, {
    path: `${oidcPaths.interaction}/:uid`,
    summary: 'Page: continues a sign-in at an application',
    hasEffect: true,
    title: ({ t }, { kind, request: { client } }) => t(`page.oidc.${kind}_title`, { name: client.name }),
    subject: ({ session }) => session?.id,
    query: Type.Object({ to: stateField, ui_locales: Type.Optional(formField) }),
    address: addressOfVisit,
    showsRefusal: true,
    load: async (visit) => {
      const uid = uidOf(visit.request);
      const browser = browserOf(visit);
      const pending = await requests.find(browser, uid);
      if (pending === undefined) {
        const client = await requests.clientOfEnded(visit.query.to);
        if (client === undefined) throw requestExpired();
        void visit.reply.status(400);
        return { kind: 'ended', request: { client } };
      }
      const { isSignUpOpen } = pages;
      return decide({ ...parts, isSignUpOpen }, { browser, session: visit.request.session }, pending);
    },
    body: (visit, question) => questionBody(visit, question, pages.publicOrigin),
    forms: [
      form({
        summary: 'Page: answers the question of a sign-in at an application',
        fields: Type.Object({ answer: formField }),
        back: (_fields, visit) => addressOfVisit(visit),
        submit: ({ answer }, visit) => submit(parts, visit, answer),
      }),
    ],
  }).routes;
}

/** Returns the address of the page with its query. */
function addressOfVisit({ request, query }: Visit): string {
  const { to, ui_locales } = query;
  return addressOf(`${oidcPaths.interaction}/${uidOf(request)}`, { to, ui_locales });
}

function uidOf({ params }: Visit['request']): string {
  const { uid = '' } = params as { uid?: string }; // the path has it
  return uidForm.test(uid) ? uid : '';
}

/** Does what the person answered, and returns where to continue. */
async function submit(parts: InteractionPageParts, visit: Visit, answer: string): Promise<string> {
  const { requests, view, sessions, cookies } = parts;
  const { request, reply } = visit;
  const browser = browserOf(visit);
  const pending = await requests.find(browser, uidOf(request));
  if (pending === undefined) throw requestExpired();
  const { session } = request;
  if (session === null) throw new Problem('session_required');
  if ((await view.authenticationOf(session)) === undefined) throw new Problem('session_required');
  if (answer === 'switch') {
    await sessions.end(session.id, request.source);
    cookies.clearSession(reply);
    return pending.address; // continues at the sign-in, or at the registration that was asked for
  }
  if (await isOfOtherSession(view, pending, session)) return requests.restart(pending, false);
  if (answer === 'deny')
    return requests.refuse(browser, pending.uid, 'access_denied', 'the user denied the request');
  // This answers which account, and is no proof of who the person is: a login that is asked for comes next.
  if (answer === 'continue' && choices.has(pending.prompt))
    return requests.choose(browser, pending.uid, pending.prompt);
  if (answer === 'allow' && pending.prompt === 'consent') return allow(parts, visit, pending);
  throw new Problem('invalid_request');
}

async function allow(
  { requests, events }: InteractionPageParts,
  visit: Visit,
  pending: PendingRequest,
): Promise<string> {
  const { session, source } = visit.request;
  if (session === null) throw new Problem('session_required');
  const { userId } = session;
  return requests.allow(browserOf(visit), pending, userId, (tx, isFirst) =>
    recordAllowed(tx, events, { userId, client: pending.client, isFirst, source }),
  );
}

function browserOf({ request, reply }: Visit): Browser {
  return [request.raw, reply.raw];
}

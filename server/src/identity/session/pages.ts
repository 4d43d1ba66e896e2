// Lists and ends the sessions of the signed-in user, and signs out.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { addressOf, hidden, notice } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';
import { accountBody } from '../../page/page-form.ts';
import { ownSections } from '../../page/account-section.ts';
import { parseFactors } from '../factor/factor.ts';
import { sessionOf, sourceOf } from '../sign-in/guard.ts';
import {
  formField,
  formToken,
  seeOther,
  PageQuery,
  paths,
  requireForm,
  returnTo,
  type PageRoom,
  type SectionPart,
} from '../../page/page-guard.ts';
import type { SessionSummary } from './store.ts';

const EndForm = Type.Object({
  id: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

const SignOutForm = Type.Object({
  form_token: Type.Optional(formField),
  return_to: Type.Optional(formField),
});

/** Sessions that the page shows. */
const maxListed = 50;

export interface SessionPageRoom extends PageRoom {
  /** Parts below the sessions, which features add. */
  readonly parts: readonly SectionPart[];
}

/** Behind the member door for pages. */
export const sessionPages: FastifyPluginAsyncTypebox<SessionPageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  const { path } = ownSections.sessions;
  scope.get(
    path,
    { schema: { summary: 'Page: your sessions and devices', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const current = sessionOf(request);
      const sessions = await auth.listSessions(current.userId, maxListed);
      const { done } = request.query;
      const items = sessions.map((session) => sessionItem(room, t, session, current.id));
      const others =
        sessions.length < 2
          ? ''
          : html`<form method="post" action="${path}/others">
              !${formToken(room, current.id)}
              <button class="second">${t('page.sessions.end_others')}</button>
            </form>`;
      const parts = await Promise.all(room.parts.map(async (part) => part(room, t, current)));
      const body = html`!${notice('done', done === 'ended' ? t('page.sessions.ended') : undefined)}
        <p>${t('page.sessions.what')}</p>
        <ul class="rows">
          !${items}
        </ul>
        !${others} !${parts}`;
      return pages.send(request, reply, { title: t('page.sessions.title'), body: accountBody(t, body) });
    },
  );
  scope.post(
    path,
    { schema: { summary: 'Page: ends one of your sessions', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      const { id = '' } = request.body;
      await auth.endOwnSession(current, id, sourceOf(request, room));
      return seeOther(reply, id === current.id ? paths.signIn : addressOf(path, { done: 'ended' }));
    },
  );
  scope.post(
    `${path}/others`,
    { schema: { summary: 'Page: ends your other sessions', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      await auth.endOtherSessions(current, sourceOf(request, room));
      return seeOther(reply, addressOf(path, { done: 'ended' }));
    },
  );
};

/** Behind the member door: signing out. */
export const signOutPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  scope.get(
    '/sign-out',
    { schema: { summary: 'Page: sign out', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const body = html`<p>${t('page.sign_out.what', { email: sessionOf(request).email })}</p>
        <form method="post" action="/sign-out">
          !${formToken(room, sessionOf(request).id)} !${hidden('return_to', returnTo(room, request))}
          <button>${t('page.sign_out.act')}</button>
        </form>`;
      return pages.send(request, reply, { title: t('page.sign_out.title'), body });
    },
  );

  scope.post(
    '/sign-out',
    { schema: { summary: 'Page: signs out', body: SignOutForm } },
    async (request, reply) => {
      const session = sessionOf(request);
      requireForm(room, session.id, request.body.form_token);
      await auth.endSession(session.id, sourceOf(request, room));
      void reply.header('set-cookie', room.cookie.clear());
      return seeOther(reply, returnTo(room, request) ?? addressOf(paths.signIn, { done: 'signed_out' }));
    },
  );
};

function sessionItem(
  room: PageRoom,
  t: Translate,
  { id, device, last_seen_at: seen, created_at: created, factors }: SessionSummary,
  currentId: string,
): string {
  const uses = parseFactors(factors).map(({ factor }) => t(`page.factor.${factor}`));
  const name = nameDevice(device ?? undefined) ?? t('page.sessions.unknown');
  const isCurrent = id === currentId;
  return html`<li>
    <div>
      <strong>${name}</strong> !${isCurrent ? html`<em>${t('page.sessions.current')}</em>` : ''}
      <small>${t('page.sessions.since', { created, seen })}</small>
      !${uses.length > 0 ? html`<small>${uses.join(' + ')}</small>` : ''}
    </div>
    !${
      isCurrent
        ? ''
        : html`<form method="post" action="${ownSections.sessions.path}">
            !${formToken(room, currentId)}
            <input type="hidden" name="id" value="${id}" />
            <button class="small" aria-label="${t('page.sessions.end_one', { name })}">
              ${t('page.sessions.end')}
            </button>
          </form>`
    }
  </li>`;
}

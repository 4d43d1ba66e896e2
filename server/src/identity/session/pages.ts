// Pages that list and end the sessions of the signed-in user, and sign out.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { freeRead } from '../../http/limits.ts';
import { hidden, notice, addressOf } from '../../http/markup.ts';
import { parseFactors } from '../factor/factor-use.ts';
import type { SessionSummary } from './store.ts';
import { seeOther, formField, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { renderParts, type AccountSection, type SectionPart } from '../../page/account-section.ts';
import type { BrowserCookies } from '../guard.ts';
import { sessionOf } from './guard.ts';
import type { Sessions } from './session.ts';
import type { Translate } from '../../http/pages.ts';

const EndForm = Type.Object({
  id: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

const SignOutForm = Type.Object({
  form_token: Type.Optional(formField),
  return_to: Type.Optional(formField),
});

/** Maximum number of sessions on the page. */
const maxListed = 50;

export const sessionSection = { path: paths.sessions, name: 'sessions' } as const satisfies AccountSection;

/** The page of sessions, at the access level `session`. */
export function sessionPages({
  pages,
  sessions,
  parts,
}: {
  readonly pages: PageKit;
  readonly sessions: Sessions;
  /** Parts of other modules, shown below the sessions. */
  readonly parts: readonly SectionPart[];
}): FastifyPluginAsyncTypebox {
  const { path } = sessionSection;

  return async (scope) => {
    scope.get(
      path,
      { schema: { summary: 'Page: your sessions and devices', querystring: PageQuery } },
      async (request, reply) => {
        const t = pages.translate(request);
        const current = sessionOf(request);
        const listed = await sessions.list(current.userId, maxListed);
        const { done } = request.query;
        const items = listed.map((session) => sessionItem(pages, t, session, current.id));
        const others =
          listed.length < 2
            ? ''
            : html`<form method="post" action="${path}/others">
                !${pages.formToken(current.id)}
                <button class="second">${t('page.sessions.end_others')}</button>
              </form>`;
        const body = html`!${notice('done', done === 'ended' ? t('page.sessions.ended') : undefined)}
          <p>${t('page.sessions.what')}</p>
          <ul class="rows">
            !${items}
          </ul>
          !${others} !${await renderParts(parts, 'sessions', request)}`;
        return pages.sendAccount(request, reply, { title: t('page.sessions.title'), body });
      },
    );
    scope.post(
      path,
      { schema: { summary: 'Page: ends one of your sessions', body: EndForm } },
      async (request, reply) => {
        const current = sessionOf(request);
        pages.requireForm(current.id, request.body.form_token);
        const { id = '' } = request.body;
        await sessions.endOwn(current, id, request.source);
        return seeOther(reply, id === current.id ? paths.signIn : addressOf(path, { done: 'ended' }));
      },
    );
    scope.post(
      `${path}/others`,
      { schema: { summary: 'Page: ends your other sessions', body: EndForm } },
      async (request, reply) => {
        const current = sessionOf(request);
        pages.requireForm(current.id, request.body.form_token);
        await sessions.endOthers(current, request.source);
        return seeOther(reply, addressOf(path, { done: 'ended' }));
      },
    );
  };
}

/** Signs out, at the access level `session`. */
export function signOutPages({
  pages,
  cookies,
  sessions,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly sessions: Sessions;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/sign-out',
      { config: freeRead, schema: { summary: 'Page: sign out', querystring: PageQuery } },
      async (request, reply) => {
        const t = pages.translate(request);
        const body = html`<p>${t('page.sign_out.what', { email: sessionOf(request).email })}</p>
          <form method="post" action="/sign-out">
            !${pages.formToken(sessionOf(request).id)} !${hidden('return_to', pages.returnTo(request))}
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
        pages.requireForm(session.id, request.body.form_token);
        await sessions.end(session.id, request.source);
        cookies.clearSession(reply);
        return seeOther(reply, pages.returnTo(request) ?? addressOf(paths.signIn, { done: 'signed_out' }));
      },
    );
  };
}

function sessionItem(
  pages: PageKit,
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
        : html`<form method="post" action="${sessionSection.path}">
            !${pages.formToken(currentId)}
            <input type="hidden" name="id" value="${id}" />
            <button class="small" aria-label="${t('page.sessions.end_one', { name })}">
              ${t('page.sessions.end')}
            </button>
          </form>`
    }
  </li>`;
}

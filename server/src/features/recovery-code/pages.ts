// Recovery codes on pages: how many are left, new ones, and how one is asked for.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { accountBody } from '../../page/page-form.ts';
import { sessionOf, sourceOf } from '../../identity/sign-in/guard.ts';
import { formField, formToken, PageQuery, requireForm, type PageRoom } from '../../page/page-guard.ts';
import { recoveryCodeSection } from './prompt.ts';
import type { RecoveryCodes } from './recovery-code.ts';

export interface RecoveryCodePageRoom extends PageRoom {
  readonly recoveryCodes: RecoveryCodes;
}

const OwnForm = Type.Object({ form_token: Type.Optional(formField) });

/** Behind the member door for pages. */
export const recoveryCodePages: FastifyPluginAsyncTypebox<RecoveryCodePageRoom> = async (scope, room) => {
  const { auth, pages, recoveryCodes } = room;
  const { path } = recoveryCodeSection;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    codes?: readonly string[],
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const session = sessionOf(request);
    await auth.stepUp.requireRecent(session);
    const isAsked = (await auth.factorsOf(session.userId)).length > 0;
    const left = await recoveryCodes.count(session.userId);
    const form = html`<form method="post" action="${path}">
      !${formToken(room, session.id)}
      <button !${codes === undefined ? '' : 'class="second"'}>${t('page.recovery_codes.act')}</button>
    </form>`;
    const shown =
      codes === undefined
        ? html`<p>${t('page.recovery_codes.left', { left })}</p>`
        : html`<p class="notice done" role="status">${t('page.recovery_codes.once')}</p>
            <ul class="codes" data-copy="${t('page.recovery_codes.copy')}">
              !${codes.map((code) => html`<li><code>${code}</code></li>`)}
            </ul>`;
    const body = html`<p>${t('page.recovery_codes.what')}</p>
      !${isAsked ? html`!${shown} !${form}` : html`<p class="notice">${t('page.recovery_codes.none')}</p>`}`;
    return pages.send(request, reply, {
      title: t('page.recovery_codes.title'),
      body: accountBody(t, body),
    });
  };

  scope.get(
    path,
    { schema: { summary: 'Page: your recovery codes', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );

  scope.post(
    path,
    { schema: { summary: 'Page: makes new recovery codes and shows them this once', body: OwnForm } },
    async (request, reply) => {
      const session = sessionOf(request);
      requireForm(room, session.id, request.body.form_token);
      const codes = await auth.enrollment.change(
        { session },
        recoveryCodes.replacement(auth.secondFactors),
        sourceOf(request, room),
      );
      return show(request, reply, codes);
    },
  );
};

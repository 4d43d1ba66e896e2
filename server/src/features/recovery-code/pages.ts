// The page of the recovery codes: shows how many are left and creates new ones.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { recoveryCodeSection } from './prompt.ts';
import type { RecoveryCodes } from './recovery-code.ts';
import { formField, PageQuery, type PageKit } from '../../page/page.ts';
import type { BrowserCookies } from '../../identity/guard.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { StepUp } from '../../identity/sign-in/step-up.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';
import type { SecondFactors } from '../../identity/factor/second-factor.ts';

const OwnForm = Type.Object({ form_token: Type.Optional(formField) });

/** The page of the recovery codes. */
export function recoveryCodePages({
  pages,
  cookies,
  stepUp,
  secondFactors,
  enrollment,
  recoveryCodes,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly stepUp: StepUp;
  readonly secondFactors: SecondFactors;
  readonly enrollment: Enrollment;
  readonly recoveryCodes: RecoveryCodes;
}): FastifyPluginAsyncTypebox {
  const { path } = recoveryCodeSection;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    codes?: readonly string[],
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const session = sessionOf(request);
    await stepUp.requireRecent(session);
    const isAsked = (await secondFactors.namesOf(session.userId)).length > 0;
    const left = await recoveryCodes.count(session.userId);
    const form = html`<form method="post" action="${path}">
      !${pages.formToken(session.id)}
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
    return pages.sendAccount(request, reply, { title: t('page.recovery_codes.title'), body });
  };

  return async (scope) => {
    scope.get(
      path,
      { schema: { summary: 'Page: your recovery codes', querystring: PageQuery } },
      async (request, reply) => show(request, reply),
    );

    scope.post(
      path,
      { schema: { summary: 'Page: creates recovery codes and shows them once', body: OwnForm } },
      async (request, reply) => {
        const session = sessionOf(request);
        pages.requireForm(session.id, request.body.form_token);
        const { result: codes, renewed } = await enrollment.change(
          { session },
          recoveryCodes.replacement(secondFactors),
          request.source,
        );
        cookies.renewSession(request, reply, renewed);
        return show(request, reply, codes);
      },
    );
  };
}

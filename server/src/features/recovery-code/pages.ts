// The pages of the recovery codes: how many are left, and new ones. New codes can be looked at until the person has saved
// them, for 15 minutes at most; the former codes stay valid until then.
import { html } from 'ghtml';
import Type from 'typebox';
import type { SealedCookie } from '../../http/cookie/sealed-cookie.ts';
import { addressOf } from '../../http/markup.ts';
import { Redirect, form, formPage, type PageRoutes } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';
import type { SecondFactors } from '../../identity/factor/second-factor.ts';
import type { BrowserCookies } from '../../identity/browser-cookies.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { StepUp } from '../../identity/step-up/step-up.ts';
import { recoveryCodeSection } from './prompt.ts';
import type { RecoveryCodes } from './recovery-code.ts';

/** New codes, as the browser keeps them for their session. */
export interface ShownCodes {
  readonly codes: readonly string[];
  /** Unix milliseconds. */
  readonly until: number;
}

export interface RecoveryCodePageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly stepUp: StepUp;
  readonly secondFactors: SecondFactors;
  readonly enrollment: Enrollment;
  readonly recoveryCodes: RecoveryCodes;
  readonly shownCodes: SealedCookie<ShownCodes>;
}

const { path } = recoveryCodeSection;
const newPath = `${path}/new`;

/** The pages, at the access level `session`. */
export function recoveryCodePages(parts: RecoveryCodePageParts): PageRoutes['routes'] {
  const all = [listPage(parts), newPage(parts)];
  return async (scope, options) => {
    for (const { routes } of all) await routes(scope, options);
  };
}

const subject = (request: Parameters<typeof sessionOf>[0]): string => sessionOf(request).id;

function listPage({
  pages,
  cookies,
  stepUp,
  secondFactors,
  enrollment,
  recoveryCodes,
  shownCodes,
}: RecoveryCodePageParts): PageRoutes {
  return formPage<{ isUsable: boolean; left: number }>(pages, {
    path,
    summary: 'Page: your recovery codes',
    title: 'page.recovery_codes.title',
    layout: 'account',
    subject,
    done: { saved: 'page.recovery_codes.saved', first: 'page.recovery_codes.first' },
    load: async ({ request }) => {
      const session = sessionOf(request);
      await stepUp.requireRecent(session);
      const isUsable = (await secondFactors.usableOf(session.userId)).length > 0;
      return { isUsable, left: await recoveryCodes.count(session.userId) };
    },
    body: ({ t, inputs, next }, { isUsable, left }) =>
      html`<p>${t('page.recovery_codes.what')}</p>
        !${
          isUsable
            ? html`<p>${t('page.recovery_codes.left', { left })}</p>
                <form method="post" action="${path}">
                  !${inputs}<button !${left > 0 ? 'class="second"' : ''}>
                    ${t('page.recovery_codes.act')}
                  </button>
                </form>
                !${
                  left === 0
                    ? html`<a class="button second" href="${next ?? paths.account}"
                        >${t('page.recovery_codes.later')}</a
                      >`
                    : ''
                }`
            : html`<p class="notice">${t('page.recovery_codes.none')}</p>`
        }`,
    forms: [
      form({
        summary: 'Page: creates recovery codes',
        fields: Type.Object({}),
        submit: async (_fields, { request, reply, next }) => {
          const session = sessionOf(request);
          const { result, renewed } = await enrollment.change(
            { session },
            recoveryCodes.addition(secondFactors),
            request.source,
          );
          cookies.renewSession(request, reply, renewed);
          shownCodes.seal(reply, result, contextOf(session));
          return addressOf(newPath, { return_to: next });
        },
      }),
    ],
  });
}

/** New codes are shown to their user only. The session cannot be named: it is renewed when the codes are created. */
function contextOf({ userId }: { readonly userId: number }): string {
  return String(userId);
}

function newPage({ pages, stepUp, recoveryCodes, shownCodes }: RecoveryCodePageParts): PageRoutes {
  return formPage<readonly string[]>(pages, {
    path: newPath,
    summary: 'Page: your new recovery codes',
    title: 'page.recovery_codes.new_title',
    layout: 'account',
    subject,
    load: async ({ request, next }) => {
      const session = sessionOf(request);
      await stepUp.requireRecent(session);
      const shown = shownCodes.open(request.headers.cookie, contextOf(session));
      return shown !== undefined && recoveryCodes.isShown(shown)
        ? shown.codes
        : new Redirect(addressOf(path, { return_to: next }));
    },
    body: ({ t, inputs }, codes) =>
      html`<p class="notice done" role="status">${t('page.recovery_codes.once')}</p>
        <ul
          class="codes"
          data-copy="${t('page.recovery_codes.copy')}"
          data-download="${t('page.recovery_codes.download')}"
        >
          !${codes.map((code) => html`<li><code>${code}</code></li>`)}
        </ul>
        <form method="post" action="${newPath}">
          !${inputs}<button>${t('page.recovery_codes.have_saved')}</button>
        </form>`,
    forms: [
      form({
        summary: 'Page: ends the former recovery codes',
        fields: Type.Object({}),
        submit: async (_fields, { request, reply, next }) => {
          const session = sessionOf(request);
          await recoveryCodes.endFormer(session.userId);
          shownCodes.seal(reply, { codes: [], until: 0 }, contextOf(session));
          return next ?? addressOf(path, { done: 'saved' });
        },
      }),
    ],
  });
}

// Offers a passkey after a sign-in with a password. "Not now" is remembered on the device for 30 days.
import { html } from 'ghtml';
import Type from 'typebox';
import { dayMs } from '../../../kit/clock.ts';
import { isProblem } from '../../../kit/problem.ts';
import { Cookie } from '../../../http/cookie/cookie.ts';
import { Redirect, form, formPage, type PageRoutes } from '../../../page/form-page.ts';
import type { PageKit } from '../../../page/page.ts';
import { paths } from '../../../page/paths.ts';
import type { SignInOffer } from '../../../page/sign-in-way.ts';
import type { Enrollment } from '../../../identity/enrollment/enrollment.ts';
import type { SecondFactors } from '../../../identity/factor/second-factor.ts';
import { sessionOf } from '../../../identity/session/guard.ts';
import type { Passkeys } from '../passkey.ts';
import { passkeySection } from '../prompt.ts';
import { addForm } from './add-form.ts';

export interface PasskeyOfferParts {
  readonly pages: PageKit;
  readonly enrollment: Enrollment;
  readonly secondFactors: SecondFactors;
  readonly passkeys: Passkeys;
}

const path = `${passkeySection.path}/offer`;
const pauseMs = 30 * dayMs;

interface OfferView {
  /** With a passkey the password alone no longer opens the account. */
  readonly changesSignIn: boolean;
}

/** The offer, and its page at the access level `session`. */
export function passkeyOffer({ pages, enrollment, secondFactors, passkeys }: PasskeyOfferParts): {
  readonly offer: SignInOffer;
  readonly routes: PageRoutes['routes'];
} {
  const asked = new Cookie({
    name: 'passkey_offer',
    scope: pages.cookieScope,
    accepts: (value) => value === 'later',
  });
  const { routes } = formPage<OfferView>(pages, {
    path,
    summary: 'Page: offers a passkey after a sign-in with a password',
    title: 'page.passkeys.offer',
    subject: (request) => sessionOf(request).id,
    load: async ({ request, reply, next }) => {
      const session = sessionOf(request);
      const redirect = new Redirect(next ?? paths.account);
      if ((await passkeys.list(session.userId)).length > 0) {
        void reply.header('set-cookie', asked.write('later', pauseMs));
        return redirect;
      }
      try {
        await enrollment.requireSubject({ session });
      } catch (error) {
        if (isProblem(error, 'step_up_required')) return redirect; // a remembered device: the offer is not worth a code
        throw error;
      }
      const isOff = secondFactors.policy === 'off';
      return { changesSignIn: !isOff && (await secondFactors.usableOf(session.userId)).length === 0 };
    },
    body: (visit, { changesSignIn }) => {
      const { t, inputs } = visit;
      return html`<p>${t('page.passkeys.offer_what')}</p>
        !${changesSignIn ? html`<p>${t('page.passkeys.offer_changes')}</p>` : ''}
        !${addForm(visit, 'sign_in', !changesSignIn)}
        <form method="post" action="${path}">
          !${inputs}<button class="second">${t('page.passkeys.offer_later')}</button>
        </form>`;
    },
    forms: [
      form({
        summary: 'Page: offers no passkey on this device for 30 days',
        fields: Type.Object({}),
        submit: async (_fields, { reply, next }) => {
          void reply.header('set-cookie', asked.write('later', pauseMs));
          return next ?? paths.account;
        },
      }),
    ],
  });
  const offer = {
    name: 'passkey',
    path,
    isDue: ({ headers }: Parameters<SignInOffer['isDue']>[0]) => asked.read(headers.cookie) === undefined,
  };
  return { offer, routes };
}

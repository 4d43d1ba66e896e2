// Passkeys: sign-in without a password, and a second factor (WebAuthn Level 3).
import { removalPage } from '../../identity/enrollment/removal-page.ts';
import { module, type RouteSet } from '../../module.ts';
import { passkeyOffer } from './enrollment/offer-page.ts';
import { passkeyPages, stateOf } from './enrollment/pages.ts';
import { passkeyAdditionRoutes, passkeyListRoutes } from './enrollment/routes.ts';
import { Passkeys } from './passkey.ts';
import { PasskeyData } from './passkey-data.ts';
import { passkeyPrompt, passkeySection } from './prompt.ts';
import { passkeyOpenPages, passkeySignInWay, passkeySignUpWay } from './sign-in/pages.ts';
import { PasskeySignIn } from './sign-in/passkey-sign-in.ts';
import { passkeyOpenRoutes } from './sign-in/routes.ts';
import { passkeyPendingRoutes, passkeyStepUpRoutes } from './sign-in/second-factor-routes.ts';
import { passkeyEndpointRoutes, relatedOriginRoutes } from './well-known-routes.ts';
import { passkeyMigrations } from './migrations.ts';
import { passkeyOptions } from './options.ts';

export const passkey = module({
  name: 'passkey',
  title: 'Passkeys',
  messages: new URL('./messages/', import.meta.url).href,
  migrations: passkeyMigrations,
  options: passkeyOptions,
  storedFactors: [new PasskeyData()],
  isOn: ({ passkeys }) => passkeys,
  build: ({ accounts, context, cookies, enrollment, keyring, pages, secondFactors, signIn }, options) => {
    const { db, clock, log } = context;
    const url = new URL(pages.publicOrigin);
    const passkeys = new Passkeys({
      db,
      clock,
      log,
      emailConfirmation: options.emailConfirmation,
      relyingParty: {
        id: url.hostname,
        name: options.productName,
        origins: [url.origin, ...options.passkeyOrigins],
      },
      signer: {
        sign: (text) => keyring.mac('webauthn', text),
        check: (text, mac) => keyring.checkMac('webauthn', text, mac),
      },
    });
    const passkeySignIn = new PasskeySignIn({ accounts, context, signIn, passkeys });
    const offered = passkeyOffer({ pages, enrollment, secondFactors, passkeys });
    const routes: readonly RouteSet[] = [
      { access: 'open', json: passkeyOpenRoutes({ cookies, passkeySignIn, passkeys, policy: options }) },
      { access: 'open', json: passkeyEndpointRoutes({ pages }) },
      { access: 'open', pages: passkeyOpenPages({ pages, cookies, passkeySignIn, policy: options }) },
      { access: 'enrollment', json: passkeyListRoutes({ cookies, enrollment, passkeys }) },
      { access: 'enrollment', json: passkeyAdditionRoutes({ cookies, enrollment, passkeys }) },
      { access: 'enrollment', pages: passkeyPages({ pages, cookies, enrollment, passkeys }) },
      {
        access: 'enrollment',
        pages: removalPage(
          { pages, cookies, enrollment },
          {
            ...passkeySection,
            list: (userId) => passkeys.list(userId),
            removal: (id) => passkeys.removal(id),
          },
        ).routes,
      },
      { access: 'session', pages: offered.routes },
      { access: 'session', json: passkeyStepUpRoutes({ passkeys }) },
      ...(secondFactors.policy === 'off'
        ? []
        : [{ access: 'pending', json: passkeyPendingRoutes({ passkeys }) } as const]),
      ...(options.passkeyOrigins.length === 0
        ? []
        : [{ access: 'open', json: relatedOriginRoutes({ passkeys }) } as const]),
    ];
    return {
      secondFactor: passkeys,
      routes,
      account: [
        {
          ...passkeySection,
          state: async ({ userId }, t) => stateOf(t, await passkeys.list(userId)),
          advice: async ({ userId }, t) =>
            secondFactors.policy === 'off' || (await secondFactors.usableOf(userId)).length > 0
              ? undefined
              : {
                  rank: 2,
                  title: t('page.passkeys.advice'),
                  text: t('page.passkeys.advice_why'),
                  act: t('page.passkeys.advice_act'),
                },
        },
      ],
      prompts: [passkeyPrompt],
      signInWays: [passkeySignInWay(pages)],
      signUpWays: [passkeySignUpWay(pages)],
      offers: [offered.offer],
    };
  },
});

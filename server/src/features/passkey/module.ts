// Passkeys: sign-in without a password, and a second factor (WebAuthn Level 3).
import { module, type RouteSet } from '../../module.ts';
import { PasskeyEntrance } from './entrance.ts';
import {
  passkeyEndpointRoutes,
  passkeyOpenPages,
  passkeyPages,
  passkeySignIn,
  passkeySignUp,
} from './pages.ts';
import { Passkeys } from './passkey.ts';
import { passkeyPrompt, passkeySection } from './prompt.ts';
import {
  passkeyHalfWayRoutes,
  passkeyMemberRoutes,
  passkeyOpenRoutes,
  passkeyRoutes,
  relatedOriginRoutes,
} from './routes.ts';
import { passkeyMigrations } from './migrations.ts';
import { passkeyOptions } from './options.ts';

export const passkey = module({
  name: 'passkey',
  messages: import.meta.resolve('./messages/'),
  migrations: passkeyMigrations,
  options: passkeyOptions,
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
    const entrance = new PasskeyEntrance({ accounts, signIn, passkeys });
    const routes: readonly RouteSet[] = [
      { access: 'open', json: passkeyOpenRoutes({ cookies, entrance, passkeys, policy: options }) },
      { access: 'open', json: passkeyEndpointRoutes({ pages }) },
      { access: 'open', pages: passkeyOpenPages({ pages, cookies, entrance, policy: options }) },
      { access: 'enrollment', json: passkeyRoutes({ cookies, enrollment, passkeys }) },
      { access: 'enrollment', pages: passkeyPages({ pages, cookies, enrollment, passkeys }) },
      { access: 'session', json: passkeyMemberRoutes({ passkeys }) },
      ...(secondFactors.policy === 'off'
        ? []
        : [{ access: 'pending', json: passkeyHalfWayRoutes({ passkeys }) } as const]),
      ...(options.passkeyOrigins.length === 0
        ? []
        : [{ access: 'open', json: relatedOriginRoutes({ passkeys }) } as const]),
    ];
    return {
      secondFactor: passkeys,
      routes,
      account: [passkeySection],
      prompts: [passkeyPrompt],
      signInWays: [passkeySignIn(pages)],
      signUpWays: [passkeySignUp(pages)],
    };
  },
});

// TOTP: codes of an authenticator app as a second factor (RFC 6238).
import { cipherOf } from '../../keys/sealed.ts';
import { removalPage } from '../../identity/enrollment/removal-page.ts';
import { module } from '../../module.ts';
import { totpPages } from './pages.ts';
import { stateOf, totpPrompt, totpSection } from './prompt.ts';
import { totpRoutes } from './routes.ts';
import { Totp } from './totp.ts';
import { TotpData } from './totp-data.ts';
import { totpMigrations } from './migrations.ts';
import { totpSeed } from './schema.ts';

export const totp = module({
  name: 'totp',
  title: 'Authenticator apps',
  messages: new URL('./messages/', import.meta.url).href,
  migrations: totpMigrations,
  sealed: [totpSeed],
  storedFactors: [new TotpData()],
  isOn: ({ secondFactor }) => secondFactor !== 'off',
  build: ({ context: { db, clock }, cookies, enrollment, keyring, pages }) => {
    const factor = new Totp({
      db,
      clock,
      issuer: pages.productName,
      cipher: cipherOf(keyring, totpSeed),
    });
    return {
      secondFactor: factor,
      routes: [
        { access: 'enrollment', json: totpRoutes({ cookies, enrollment, totp: factor }) },
        { access: 'enrollment', pages: totpPages({ pages, cookies, enrollment, totp: factor }) },
        {
          access: 'enrollment',
          pages: removalPage(
            { pages, cookies, enrollment },
            {
              ...totpSection,
              list: (userId) => factor.list(userId),
              removal: (id) => factor.removal(id),
            },
          ).routes,
        },
      ],
      account: [{ ...totpSection, state: async ({ userId }, t) => stateOf(t, await factor.list(userId)) }],
      prompts: [totpPrompt],
    };
  },
});

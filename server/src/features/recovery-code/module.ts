// Recovery codes: one-time codes that replace another second factor (NIST SP 800-63B-4 §3.1.2).
import { module } from '../../module.ts';
import { recoveryCodeUsedMail } from './event.ts';
import { minuteMs } from '../../kit/clock.ts';
import { SealedCookie } from '../../http/cookie/sealed-cookie.ts';
import { recoveryCodePages, type ShownCodes } from './pages.ts';
import { recoveryCodePrompt, recoveryCodeSection } from './prompt.ts';
import { RecoveryCodes } from './recovery-code.ts';
import { RecoveryCodeData } from './recovery-code-data.ts';
import { recoveryCodeRoutes } from './routes.ts';
import { recoveryCodeMigrations } from './migrations.ts';

export const recoveryCode = module({
  name: 'recovery-code',
  messages: new URL('./messages/', import.meta.url).href,
  migrations: recoveryCodeMigrations,
  mails: [recoveryCodeUsedMail],
  storedFactors: [new RecoveryCodeData()],
  isOn: ({ secondFactor }) => secondFactor !== 'off',
  build: ({ context: { db, clock, codes }, cookies, enrollment, keyring, pages, secondFactors, stepUp }) => {
    const recoveryCodes = new RecoveryCodes({ db, clock, signer: codes });
    const parts = { cookies, enrollment, secondFactors, recoveryCodes };
    const shownCodes: SealedCookie<ShownCodes> = new SealedCookie({
      name: 'recovery_codes',
      cipher: keyring.textCipher('recovery-codes'),
      scope: pages.cookieScope,
      bytes: 512,
      lifeMs: 15 * minuteMs,
    });
    return {
      secondFactor: recoveryCodes,
      routes: [
        { access: 'session', json: recoveryCodeRoutes(parts) },
        { access: 'session', pages: recoveryCodePages({ ...parts, pages, stepUp, shownCodes }) },
      ],
      account: [
        {
          ...recoveryCodeSection,
          state: async ({ userId }, t) => {
            const left = await recoveryCodes.count(userId);
            if (left > 0)
              return { text: t('page.recovery_codes.state', { left }), tone: left > 3 ? 'good' : 'weak' };
            const isUsable = (await secondFactors.usableOf(userId)).length > 0;
            return { text: t('page.factor.none_yet'), ...(isUsable && { tone: 'weak' }) };
          },
          advice: async ({ userId }, t) => {
            if ((await secondFactors.usableOf(userId)).length === 0) return undefined;
            if ((await recoveryCodes.count(userId)) > 0) return undefined;
            return {
              rank: 1,
              title: t('page.recovery_codes.advice'),
              text: t('page.recovery_codes.advice_why'),
              act: t('page.recovery_codes.advice_act'),
            };
          },
        },
      ],
      prompts: [recoveryCodePrompt],
    };
  },
});

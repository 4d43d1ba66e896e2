// Recovery codes: one-time codes that replace another second factor (NIST SP 800-63B-4 §3.1.2).
import { module } from '../../module.ts';
import { recoveryCodeUsedMail } from './event.ts';
import { minuteMs } from '../../kit/clock.ts';
import { SealedCookie } from '../../http/sealed-cookie.ts';
import { recoveryCodePages, type ShownCodes } from './pages.ts';
import { recoveryCodePrompt, recoveryCodeSection } from './prompt.ts';
import { RecoveryCodes } from './recovery-code.ts';
import { recoveryCodeRoutes } from './routes.ts';
import { recoveryCodeMigrations } from './migrations.ts';

export const recoveryCode = module({
  name: 'recovery-code',
  messages: import.meta.resolve('./messages/'),
  migrations: recoveryCodeMigrations,
  mails: [recoveryCodeUsedMail],
  isOn: ({ secondFactor }) => secondFactor !== 'off',
  build: ({ context: { db, clock, codes }, enrollment, keyring, pages, secondFactors, stepUp }) => {
    const recoveryCodes = new RecoveryCodes({ db, clock, signer: codes });
    const parts = { enrollment, secondFactors, recoveryCodes };
    const shownCodes = new SealedCookie<ShownCodes>({
      name: 'recovery_codes',
      cipher: keyring.textCipher('recovery-codes'),
      isSecure: pages.isSecure,
      bytes: 512,
      lifeMs: 15 * minuteMs,
    });
    return {
      secondFactor: recoveryCodes,
      routes: [
        { access: 'session', json: recoveryCodeRoutes(parts) },
        { access: 'session', pages: recoveryCodePages({ ...parts, pages, stepUp, shownCodes }) },
      ],
      account: [recoveryCodeSection],
      prompts: [recoveryCodePrompt],
    };
  },
});

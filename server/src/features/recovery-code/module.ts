// Recovery codes: one-time codes that replace another second factor (NIST SP 800-63B-4 §3.1.2).
import { module } from '../../module.ts';
import { recoveryCodeUsedMail } from './event.ts';
import { recoveryCodePages } from './pages.ts';
import { recoveryCodePrompt, recoveryCodeSection } from './prompt.ts';
import { RecoveryCodes } from './recovery-code.ts';
import { RecoveryCodeData } from './recovery-code-data.ts';
import { recoveryCodeRoutes } from './routes.ts';
import { recoveryCodeMigrations } from './migrations.ts';

export const recoveryCode = module({
  name: 'recovery-code',
  messages: import.meta.resolve('./messages/'),
  migrations: recoveryCodeMigrations,
  mails: [recoveryCodeUsedMail],
  storedFactors: [new RecoveryCodeData()],
  isOn: ({ secondFactor }) => secondFactor !== 'off',
  build: ({ context: { db, clock, codes }, cookies, enrollment, pages, secondFactors, stepUp }) => {
    const recoveryCodes = new RecoveryCodes({ db, clock, signer: codes });
    const parts = { cookies, enrollment, secondFactors, recoveryCodes };
    return {
      secondFactor: recoveryCodes,
      routes: [
        { access: 'session', json: recoveryCodeRoutes(parts) },
        { access: 'session', pages: recoveryCodePages({ ...parts, pages, stepUp }) },
      ],
      account: [recoveryCodeSection],
      prompts: [recoveryCodePrompt],
    };
  },
});

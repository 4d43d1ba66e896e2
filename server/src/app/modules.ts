// Lists every module of the service. Pages offer the contributions in this order. To delete a feature, delete its
// folder and its two lines here.
import type { Module } from '../module.ts';
import { account } from '../identity/account/module.ts';
import { details } from '../identity/details/module.ts';
import { enrollment } from '../identity/enrollment/module.ts';
import { factor } from '../identity/factor/module.ts';
import { password } from '../identity/password/module.ts';
import { registration } from '../identity/registration/module.ts';
import { session } from '../identity/session/module.ts';
import { signIn } from '../identity/sign-in/module.ts';
import { stepUp } from '../identity/step-up/module.ts';
import { token } from '../identity/token/module.ts';
import { accountDeletion } from '../features/account-deletion/module.ts';
import { activity } from '../features/activity/module.ts';
import { breachCheck } from '../features/breach-check/module.ts';
import { dataExport } from '../features/data-export/module.ts';
import { disposableEmail } from '../features/disposable-email/module.ts';
import { emailChange } from '../features/email-change/module.ts';
import { emailSignIn } from '../features/email-sign-in/module.ts';
import { forwardAuth } from '../features/forward-auth/module.ts';
import { mailbox } from '../features/mailbox/module.ts';
import { oidc } from '../features/oidc/module.ts';
import { passkey } from '../features/passkey/module.ts';
import { recoveryCode } from '../features/recovery-code/module.ts';
import { rememberedDevice } from '../features/remembered-device/module.ts';
import { themePreview } from '../features/theme-preview/module.ts';
import { totp } from '../features/totp/module.ts';

export const modules: readonly Module[] = [
  token,
  factor,
  registration,
  account,
  emailChange,
  password,
  stepUp,
  signIn,
  enrollment,
  passkey,
  totp,
  recoveryCode,
  emailSignIn,
  details,
  session,
  rememberedDevice,
  oidc,
  activity,
  dataExport,
  accountDeletion,
  forwardAuth,
  breachCheck,
  disposableEmail,
  mailbox,
  themePreview,
];

// What routes, pages and commands still call on one object. Each of them takes the rule itself, module by module; the file
// goes with the last.
import { programSource } from '../audit/event.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import type { User } from '../user/user.ts';
import type { Attach } from '../identity/account/account.ts';
import type { ClientSource } from '../identity/context.ts';
import type { Enrollment } from '../identity/enrollment/enrollment.ts';
import type { SecondFactors } from '../identity/factor/second-factor.ts';
import type { Session } from '../identity/session/session.ts';
import type { RememberedDevice } from '../identity/sign-in/device-store.ts';
import type { Login, SignIn } from '../identity/sign-in/sign-in.ts';
import type { StepUp } from '../identity/sign-in/step-up.ts';
import { AccountDeletion, deletionUndoKind } from '../features/account-deletion/deletion.ts';
import { DataExports } from '../features/data-export/data-export.ts';
import { EmailChange, emailChangeKind, emailUndoKind } from '../features/email-change/email-change.ts';
import { EmailSignIn, emailSignInKind } from '../features/email-sign-in/email-sign-in.ts';
import { Auth, claimedAddress, type AuthOptions } from './auth.ts';

export class AuthRelays extends Auth {
  readonly dataExports: DataExports;
  readonly deletions: AccountDeletion;
  readonly emailChange: EmailChange;
  readonly emailSignIn: EmailSignIn;

  constructor(options: AuthOptions) {
    super(options);
    const { context, plugged } = this.identity;
    this.dataExports = new DataExports(context, this.identity);
    this.deletions = new AccountDeletion(context, this.identity);
    this.emailChange = new EmailChange(context, this.identity);
    this.emailSignIn = new EmailSignIn(context, this.identity);
    plugged.purges.push(this.deletions);
    plugged.tokenKinds.push(emailSignInKind, emailChangeKind, emailUndoKind, deletionUndoKind);
  }

  get signIn(): SignIn {
    return this.identity.signIn;
  }

  get stepUp(): StepUp {
    return this.identity.stepUp;
  }

  get enrollment(): Enrollment {
    return this.identity.enrollment;
  }

  get secondFactors(): SecondFactors {
    return this.identity.secondFactors;
  }

  get sessionMs(): number {
    return this.identity.sessions.life.sessionMs;
  }

  requireCapacity(): void {
    this.identity.context.hasher.requireCapacity();
  }

  get knownDeviceMs(): number {
    return this.identity.devices.knownMs;
  }

  async registerWith(email: string, attach: Attach, source: ClientSource = programSource): Promise<User> {
    return this.identity.accounts.registerWith(requireEmailAddress(email), attach, source);
  }

  factorsOf(userId: number): Promise<string[]> {
    return this.identity.secondFactors.setOf(this.identity.context.db, userId);
  }

  userOf(session: Session): Promise<User> {
    return this.identity.sessions.userOf(session);
  }

  setLanguage(userId: number, language: string): Promise<void> {
    return this.identity.accounts.setLanguage(userId, language);
  }

  requireGoodPassword(password: string, email: string): Promise<void> {
    return this.identity.accounts.requireGoodPassword(password, email);
  }

  listRememberedDevices(userId: number): Promise<RememberedDevice[]> {
    return this.identity.devices.listRemembered(userId);
  }

  forgetDevice(session: Session, id: string, source: ClientSource): Promise<boolean> {
    return this.identity.devices.forget(session, id, source);
  }

  endOwnSession(session: Session, id: string, source: ClientSource = programSource): Promise<boolean> {
    return this.identity.sessions.endOwn(session, id, source);
  }

  endOtherSessions(session: Session, source: ClientSource = programSource): Promise<number> {
    return this.identity.sessions.endOthers(session, source);
  }

  async requestVerification(email: string, source: ClientSource = programSource): Promise<void> {
    return this.identity.emailVerification.request(requireEmailAddress(email), source);
  }

  async verifyEmail(email: string, token: string, source: ClientSource = programSource): Promise<User> {
    return this.identity.emailVerification.redeem(claimedAddress(email), token, source);
  }

  async requestSignIn(email: string, source: ClientSource = programSource): Promise<void> {
    return this.emailSignIn.request(requireEmailAddress(email), source);
  }

  async signInByEmail(
    email: string,
    proof: string,
    source: ClientSource = programSource,
  ): Promise<Login | undefined> {
    return this.emailSignIn.redeem(claimedAddress(email), proof, source);
  }

  changePassword(
    session: Session,
    passwords: { current: string | undefined; next: string },
    source: ClientSource = programSource,
  ): Promise<User> {
    return this.identity.passwordChange.change(session, passwords, source);
  }

  async requestEmailChange(
    session: Session,
    wish: { email: string; password: string | undefined },
    source: ClientSource = programSource,
  ): Promise<void> {
    const { email, password } = wish;
    return this.emailChange.request(session, { address: requireEmailAddress(email), password }, source);
  }

  changeEmail(session: Session, proof: string, source: ClientSource = programSource): Promise<User> {
    return this.emailChange.redeem(session, proof, source);
  }

  undoEmailChange(proof: string, source: ClientSource = programSource): Promise<User> {
    return this.emailChange.undo(proof, source);
  }
}

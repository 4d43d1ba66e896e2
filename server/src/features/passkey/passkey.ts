// Passkeys (WebAuthn Level 3) of users: enrolled in a session or with a new account, used to sign in alone if they verify
// their user, and always as a second factor. Decides which account a credential belongs to and whether it may be added;
// ceremony.ts verifies it.
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import type { Clock } from '../../kit/clock.ts';
import { generateUuid } from '../../kit/id.ts';
import type { Log } from '../../kit/log.ts';
import { fieldProblem, Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { findUserById } from '../../user/store.ts';
import { noUserId, type User } from '../../user/user.ts';
import type {
  FactorAddition,
  FactorChange,
  FactorPurpose,
  SecondFactor,
  VerifiedOutput,
} from '../../identity/factor/factor.ts';
import { nameAuthenticator } from './authenticator-name.ts';
import {
  Ceremonies,
  type CeremonyOptions,
  type CreationKind,
  type PasskeySignal,
  type RelyingParty,
  type VerifiedCredential,
} from './ceremony.ts';
import { factorUseOf, type ChallengeUse } from './challenge.ts';
import { parseAssertion } from './credential.ts';
import { PasskeyData } from './passkey-data.ts';
import { parseRegistered, registeredText } from './registered.ts';
import {
  addPasskey,
  findPasskey,
  listPasskeys,
  removePasskey,
  renamePasskey,
  usePasskey,
  type PasskeyRow,
} from './store.ts';

export interface PasskeysOptions extends CeremonyOptions {
  readonly db: Database;
  /** Whether an account belongs to its user only once the email address is confirmed. */
  readonly emailConfirmation: boolean;
}

/** The account for which a passkey is created. */
export interface PasskeyEnrollment {
  readonly email: string;
  /** Absent for a registration. */
  readonly userId?: number;
  readonly use: ChallengeUse;
}

/** The name of a new passkey. */
interface Naming {
  /** Chosen by the user. */
  readonly name?: string | undefined;
  /** The device on which it was created. */
  readonly device?: string | undefined;
}

const maxPerUser = 20;

export class Passkeys extends PasskeyData implements SecondFactor {
  readonly relyingParty: RelyingParty;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ceremonies: Ceremonies;
  readonly #emailConfirmation: boolean;

  constructor({ db, emailConfirmation, ...ceremony }: PasskeysOptions) {
    super();
    this.#db = db;
    this.#clock = ceremony.clock;
    this.#log = ceremony.log;
    this.#ceremonies = new Ceremonies(ceremony);
    this.relyingParty = ceremony.relyingParty;
    this.#emailConfirmation = emailConfirmation;
  }

  async isWayIn(db: Database, userId: number): Promise<boolean> {
    return (await listPasskeys(db, userId)).some(({ kind }) => kind === 'passkey');
  }

  /** Lists the passkeys of a user, the oldest first. */
  list(userId: number): Promise<PasskeyRow[]> {
    return listPasskeys(this.#db, userId);
  }

  /** Returns the options with which a browser creates a passkey. */
  async createOptions(
    { email, userId, use }: PasskeyEnrollment,
    kind: CreationKind,
  ): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const rows = userId === undefined ? [] : await this.list(userId);
    return this.#ceremonies.createOptions({ email, rows, use }, kind);
  }

  /** Verifies a new credential. Changes nothing. @throws {Problem} factor_invalid as `Ceremonies.verifyCreation`. */
  verifyCreation(text: string, use: ChallengeUse, isAutomatic = false): Promise<VerifiedCredential> {
    return this.#ceremonies.verifyCreation(text, use, isAutomatic);
  }

  /**
   * Consumes the challenge, adds the credential to a user and returns its id. Call inside a transaction that has locked
   * the user.
   * @throws {Problem} factor_invalid if the challenge was answered before; invalid_request if the credential is registered
   *   or the user has the maximum number of passkeys.
   */
  async add(tx: Database, userId: number, created: VerifiedCredential, naming: Naming): Promise<string> {
    if (!(await this.#ceremonies.consume(tx, created.challenge))) throw new Problem('factor_invalid');
    const others = await listPasskeys(tx, userId);
    if (others.length >= maxPerUser)
      throw fieldProblem('credential', `exceeds the limit of ${maxPerUser} passkeys`, 'too_many');
    const id = await this.#attach(tx, userId, created.row, nameOf(created.row, naming));
    if (id === undefined) throw registeredAlready();
    return id;
  }

  /**
   * Consumes the challenge of a registration and checks that the credential is free, before the email address is looked
   * up: a rejection is then the same for every address. A credential of a pending registration is free; otherwise,
   * registering one credential for two addresses would reveal whether the other address is taken.
   * @throws {Problem} factor_invalid if the challenge was answered before; invalid_request if the credential is registered.
   */
  claim({ challenge, row }: VerifiedCredential): Promise<void> {
    return this.#db.transaction(async (tx) => {
      if (!(await this.#ceremonies.consume(tx, challenge))) throw new Problem('factor_invalid');
      if ((await findPasskey(tx, row.credential_id)) !== undefined) throw registeredAlready();
    });
  }

  /** Returns the text with which `attachRegistered` adds a verified passkey of a registration. */
  describeRegistered({ row }: VerifiedCredential, naming: Naming): string {
    return registeredText(row, nameOf(row, naming));
  }

  async attachRegistered(tx: Database, userId: number, credential: string): Promise<boolean> {
    const { row, name } = parseRegistered(credential);
    return (await this.#attach(tx, userId, row, name)) !== undefined;
  }

  /** Inserts a verified passkey and returns its id; `undefined` if the credential is registered. */
  async #attach(
    tx: Database,
    userId: number,
    row: VerifiedCredential['row'],
    name: string,
  ): Promise<string | undefined> {
    const id = generateUuid();
    const isAdded = await addPasskey(tx, { ...row, id, user_id: userId, name, created_at: this.#clock() });
    return isAdded ? id : undefined;
  }

  /** Renames a passkey of the user; false if the user has none with this id. */
  rename(userId: number, id: string, name: string): Promise<boolean> {
    return renamePasskey(this.#db, { userId, id, name });
  }

  /** Returns the change that adds a verified credential; its result is the id. When applied, it throws as `add`. */
  addition(created: VerifiedCredential, naming: Naming): FactorAddition<string> {
    return { factor: this.name, work: (tx, user) => this.add(tx, user.id, created, naming) };
  }

  /** Returns the change that removes a passkey; its result is the row. When applied, it throws `not_found`. */
  removal(id: string): FactorChange<PasskeyRow> {
    return {
      factor: this.name,
      action: 'removed',
      work: async (tx, user) => {
        const row = await removePasskey(tx, user.id, id);
        if (row === undefined) throw new Problem('not_found');
        return row;
      },
    };
  }

  /** Returns the list of all passkeys of a user for the browser, which may then forget any other. */
  signalOf(handle: string, rows: readonly PasskeyRow[]): PasskeySignal {
    const allAcceptedCredentialIds = rows.map(({ credential_id: id }) => id);
    return { rpId: this.relyingParty.id, userId: handle, allAcceptedCredentialIds };
  }

  /** Returns the options to sign in. They name no account: the user selects one of the device's passkeys. */
  signInOptions(): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return this.#ceremonies.requestOptions({ purpose: 'sign_in', subject: '' }, [], 'required');
  }

  /** Returns the options to use one of the user's passkeys as second factor or for a step-up. */
  async requestOptions(
    userId: number,
    purpose: FactorPurpose,
  ): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return this.#ceremonies.requestOptions(factorUseOf(purpose), await this.list(userId), 'discouraged');
  }

  /**
   * Verifies an answer that signs in alone. Returns the user of the passkey, if there is one, and `verified` if the
   * answer is right. Changes nothing.
   */
  async verifySignIn(
    text: string,
  ): Promise<{ user?: User | undefined; verified?: VerifiedOutput | undefined }> {
    const response = parseAssertion(text);
    const row = response && (await findPasskey(this.#db, response.id));
    const user = await findUserById(this.#db, row?.user_id ?? noUserId);
    if (response === undefined || row === undefined) return {};
    // The request named no account, so the answer must (WebAuthn Level 3 §7.2, step 6).
    const isNamed = row.kind === 'passkey' && response.response.userHandle === row.user_handle;
    // An unconfirmed account and an unknown passkey get the same answer in the same time.
    const isUnverified = this.#emailConfirmation && user?.emailVerifiedAt === null;
    if (!isNamed || isUnverified) return { user };
    return {
      user,
      verified: await this.#verifyAnswer(row, response, { purpose: 'sign_in', subject: '' }, true),
    };
  }

  async check(user: User, output: string, purpose: FactorPurpose): Promise<VerifiedOutput | undefined> {
    const response = parseAssertion(output);
    if (response === undefined) return undefined;
    const row = await findPasskey(this.#db, response.id);
    if (row?.user_id !== user.id) return undefined;
    return this.#verifyAnswer(row, response, factorUseOf(purpose), false);
  }

  /** Verifies an answer; `undefined` if it is wrong. */
  async #verifyAnswer(
    row: PasskeyRow,
    response: AuthenticationResponseJSON,
    use: ChallengeUse,
    requireUserVerification: boolean,
  ): Promise<VerifiedOutput | undefined> {
    const answer = await this.#ceremonies.verifyAnswer(row, response, use, requireUserVerification);
    if (answer === undefined) return undefined;
    const { challenge, counter, storage, isUserVerified } = answer;
    if (counter <= row.counter && counter + row.counter > 0)
      this.#log.warn(
        { user_id: row.user_id, passkey_id: row.id, counter, last_counter: row.counter },
        'A passkey was rejected: its signature counter decreased, so it may have been cloned',
      );
    return {
      // The key, and the PIN or biometric that unlocked it.
      isMultiFactor: isUserVerified,
      consume: async (tx) =>
        (await this.#ceremonies.consume(tx, challenge)) &&
        usePasskey(tx, { id: row.id, counter, storage, now: this.#clock() }),
    };
  }
}

/** Returns the chosen name, that of the authenticator, or that of the device. */
function nameOf({ aaguid }: VerifiedCredential['row'], { name, device }: Naming): string {
  return name ?? nameAuthenticator(aaguid) ?? device ?? 'Passkey';
}

function registeredAlready(): Problem {
  return fieldProblem('credential', 'is already registered', 'registered_already');
}

// Passkeys (WebAuthn Level 3): enrolled in a session or with the account, used to sign in by themselves where they
// verify their user, and as second factor everywhere. What an authenticator says is judged by @simplewebauthn/server;
// whose it is, for what, and how often, is decided here.
import { randomBytes } from 'node:crypto';
import type {
  AuthenticationResponseJSON,
  CredentialDeviceType,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import { formatInstant, type Clock } from '../../kit/clock.ts';
import { generateUuid } from '../../kit/id.ts';
import type { Log } from '../../kit/log.ts';
import { fieldProblem, Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { findUserById } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { CodeSigner } from '../../identity/context.ts';
import type {
  FactorAddition,
  FactorChange,
  FactorPurpose,
  SecondFactor,
  Consume,
} from '../../identity/factor/factor.ts';
import { nameAuthenticator } from './authenticator-name.ts';
import { challengeMs, Challenges, type ChallengeUse, type LiveChallenge } from './challenge.ts';
import { attestsMore, parseAssertion, parseRegistration, transportsOf, webauthn } from './credential.ts';
import {
  addPasskey,
  findPasskey,
  isVerifiedCredential,
  listPasskeys,
  removePasskey,
  removePasskeysOf,
  removeUnverified,
  renamePasskey,
  usePasskey,
  type PasskeyRow,
} from './store.ts';
import '../../identity/factor/problem.ts';

/** `passkey`: verifies its user, and signs in by itself; `security_key`: a second factor only. */
export type PasskeyKind = 'passkey' | 'security_key';

/** The service, as authenticators know it. */
export interface RelyingParty {
  /** A host name: passkeys work there and below. */
  readonly id: string;
  readonly name: string;
  /** Where they may be used: our own origin, and related ones. */
  readonly origins: readonly string[];
}

export interface PasskeysOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Digests of challenges, keyed. */
  readonly signer: CodeSigner;
  readonly relyingParty: RelyingParty;
  /** An account whose address nobody has confirmed is nobody's yet. */
  readonly emailConfirmation: boolean;
}

/** As often as somebody may come in between; nobody does twice without meaning it. */
const attachAttempts = 5;

/** For whom a passkey is made: a user, or somebody who registers. */
export interface Enrollment {
  readonly email: string;
  /** The user, where there is one. */
  readonly userId?: number;
  readonly use: ChallengeUse;
}

/** A credential whose making was verified. */
export interface VerifiedCredential {
  readonly challenge: LiveChallenge;
  readonly row: Omit<PasskeyRow, 'id' | 'user_id' | 'name' | 'created_at' | 'last_used_at'>;
}

/** How a new passkey is called. */
interface Naming {
  /** As its owner wishes. */
  readonly name?: string | undefined;
  /** The device that it was made on. */
  readonly device?: string | undefined;
}

/** What tells a browser which passkeys there still are (WebAuthn Level 3 §5.1.10). */
export interface PasskeySignal {
  readonly rpId: string;
  readonly userId: string;
  readonly allAcceptedCredentialIds: string[];
}

/** COSE algorithms: Ed25519, ES256 and RS256 (WebAuthn Level 3 §5.4.3 recommends them). */
const algorithms = [-8, -7, -257];
/** WebAuthn Level 3 §14.6.1: random, and no more than 64 bytes. */
const handleBytes = 32;
const maxPerUser = 20;
/** Characters of a refusal's reason that are logged. */
const reasonCharacters = 300;

export class Passkeys implements SecondFactor {
  readonly name = 'passkey';
  readonly isBackup = false;
  /** Proof of possession of a key, and what unlocks it: a passkey verifies its user. */
  readonly amr = ['pop', 'mfa'];
  readonly relyingParty: RelyingParty;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #challenges: Challenges;
  readonly #emailConfirmation: boolean;

  constructor({ db, clock, log, signer, relyingParty, emailConfirmation }: PasskeysOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.#challenges = new Challenges(clock, signer);
    this.relyingParty = relyingParty;
    this.#emailConfirmation = emailConfirmation;
  }

  async isSet(db: Database, userId: number): Promise<boolean> {
    return (await listPasskeys(db, userId)).length > 0;
  }

  async isWayIn(db: Database, userId: number): Promise<boolean> {
    return (await listPasskeys(db, userId)).some(({ kind }) => kind === 'passkey');
  }

  /** The passkeys of a user. */
  list(userId: number): Promise<PasskeyRow[]> {
    return listPasskeys(this.#db, userId);
  }

  /** What a browser needs to make a passkey. Those that the user has are left out: a device makes no second one. */
  async createOptions(
    { email, userId, use }: Enrollment,
    kind: PasskeyKind,
  ): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const rows = userId === undefined ? [] : await this.list(userId);
    const handle = rows[0]?.user_handle ?? randomBytes(handleBytes).toString('base64url');
    const isPasskey = kind === 'passkey';
    return webauthn().generateRegistrationOptions({
      rpName: this.relyingParty.name,
      rpID: this.relyingParty.id,
      userName: email,
      userDisplayName: email,
      userID: Buffer.from(handle, 'base64url'),
      challenge: this.#challenges.create(use, `${kind}:${handle}`),
      timeout: challengeMs,
      attestationType: 'none',
      excludeCredentials: rows.map(descriptorOf),
      authenticatorSelection: isPasskey
        ? { residentKey: 'required', userVerification: 'required' }
        : { residentKey: 'discouraged', userVerification: 'discouraged' },
      ...(!isPasskey && { preferredAuthenticatorType: 'securityKey' }),
      supportedAlgorithmIDs: algorithms,
    });
  }

  /**
   * Verifies what a browser made of such options. Changes nothing.
   * @throws {Problem} factor_invalid for what was not made here, now, and for this.
   */
  async verifyCreation(text: string, use: ChallengeUse): Promise<VerifiedCredential> {
    const response = parseRegistration(text);
    if (response === undefined) throw new Problem('factor_invalid');
    let challenge: LiveChallenge | undefined;
    const made = await this.#judge(async () => {
      if (attestsMore(response)) throw new Error('Attestation by a certificate was not requested');
      const { registrationInfo } = await webauthn().verifyRegistrationResponse({
        response,
        expectedChallenge: (encoded) => (challenge = this.#challenges.read(use, encoded)) !== undefined,
        expectedOrigin: [...this.relyingParty.origins],
        expectedRPID: this.relyingParty.id,
        requireUserVerification: false, // below: the challenge says whether
        supportedAlgorithmIDs: algorithms,
      });
      return registrationInfo;
    });
    if (made === undefined || challenge === undefined) throw new Problem('factor_invalid');
    const [kind = '', handle = ''] = challenge.note.split(':');
    if (kind === 'passkey' && !made.userVerified) throw new Problem('factor_invalid');
    return {
      challenge,
      row: {
        user_handle: handle,
        credential_id: made.credential.id,
        public_key: made.credential.publicKey,
        counter: made.credential.counter,
        kind,
        storage: storageOf(made),
        transports: JSON.stringify(transportsOf(response)),
        aaguid: made.aaguid,
      },
    };
  }

  /**
   * Spends what was verified and adds it to a user. Inside a transaction that has locked the user.
   * @throws {Problem} factor_invalid when its challenge was answered before; invalid_request for a credential that is
   *   registered, or one too many.
   */
  async add(tx: Database, userId: number, made: VerifiedCredential, naming: Naming): Promise<string> {
    if (!(await this.#challenges.consume(tx, made.challenge))) throw new Problem('factor_invalid');
    const others = await listPasskeys(tx, userId);
    if (others.length >= maxPerUser)
      throw fieldProblem('credential', `exceeds the limit of ${maxPerUser} passkeys`, 'too_many');
    for (let attempt = 0; attempt < attachAttempts; attempt += 1) {
      const id = await this.attach(tx, userId, made, naming);
      if (id !== undefined) return id;
      // A registration with the same credential may have come in between: what it is answered must not show here.
      if (await this.#isRegistered(tx, made.row)) break;
    }
    throw registeredAlready();
  }

  /**
   * Spends what was verified for a new account, before anybody looks whether its address is free: what is refused here is
   * refused for every address. A credential in an account that nobody has confirmed is free: one that is registered for
   * two addresses at once would else tell whether the other one is taken.
   * @throws {Problem} factor_invalid when its challenge was answered before; invalid_request for a credential that is
   *   registered.
   */
  claim({ challenge, row }: VerifiedCredential): Promise<void> {
    return this.#db.transaction(async (tx) => {
      if (!(await this.#challenges.consume(tx, challenge))) throw new Problem('factor_invalid');
      if (await this.#isRegistered(tx, row)) throw registeredAlready();
    });
  }

  /**
   * Gives a user a verified passkey, or does as much for nobody; `undefined` then, and for a credential that is registered.
   * Without a name it gets that of its make, or of the device. Inside a transaction.
   */
  async attach(
    tx: Database,
    userId: number,
    { row }: VerifiedCredential,
    { name, device }: Naming,
  ): Promise<string | undefined> {
    await this.#releaseUnverifiedCredential(tx, row);
    const id = generateUuid();
    const isAdded = await addPasskey(tx, {
      ...row,
      id,
      user_id: userId,
      name: name ?? nameAuthenticator(row.aaguid) ?? device ?? 'Passkey',
      created_at: this.#clock(),
    });
    return isAdded ? id : undefined;
  }

  /** Gives a passkey of the user's another name; false when the user has none of this id. */
  rename(userId: number, id: string, name: string): Promise<boolean> {
    return renamePasskey(this.#db, { userId, id, name });
  }

  /** The change that adds what was verified, and gives its id. @throws {Problem} as `add`, when it is made. */
  addition(made: VerifiedCredential, naming: Naming): FactorAddition<string> {
    return { factor: this.name, work: (tx, user) => this.add(tx, user.id, made, naming) };
  }

  /** The change that removes a passkey, and gives it. @throws {Problem} not_found, when it is made. */
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

  async exportOf(db: Database, userId: number): Promise<object> {
    const rows = await listPasskeys(db, userId);
    return {
      passkeys: rows.map(({ id, name, kind, storage, transports, aaguid, ...row }) => ({
        id,
        name,
        kind,
        storage,
        transports: JSON.parse(transports) as string[], // written by verifyCreation()
        aaguid,
        credential_id: row.credential_id,
        created_at: formatInstant(row.created_at),
        ...(row.last_used_at !== null && { last_used_at: formatInstant(row.last_used_at) }),
      })),
    };
  }

  removeAll(tx: Database, userId: number, since?: number): Promise<void> {
    return removePasskeysOf(tx, userId, since);
  }

  /** What browsers may forget of a user, and what not: these are all there are. */
  signalOf(handle: string, rows: readonly PasskeyRow[]): PasskeySignal {
    const allAcceptedCredentialIds = rows.map(({ credential_id: id }) => id);
    return { rpId: this.relyingParty.id, userId: handle, allAcceptedCredentialIds };
  }

  /** What a browser needs to sign in. It names nobody: the person chooses among the passkeys of the device. */
  signInOptions(): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return this.#requestOptions({ purpose: 'sign_in', subject: '' }, [], 'required');
  }

  /** What a browser needs to ask for a passkey of the user. */
  async requestOptions(
    userId: number,
    purpose: FactorPurpose,
  ): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return this.#requestOptions(useOf(purpose), await this.list(userId), 'discouraged');
  }

  /** Whose passkey answers, and what spends the answer, as far as there is such a one and it is right. Changes nothing. */
  async verifySignIn(text: string): Promise<{ user?: User | undefined; consume?: Consume | undefined }> {
    const response = parseAssertion(text);
    const row = response && (await findPasskey(this.#db, response.id));
    if (response === undefined || row === undefined) return {};
    const user = await findUserById(this.#db, row.user_id);
    // The person named nobody: the authenticator must (WebAuthn Level 3 §7.2, step 6).
    const isNamed = row.kind === 'passkey' && response.response.userHandle === row.user_handle;
    // One that waits for its confirmation is not told from one that nobody has, not by its time either.
    const isUnverified = this.#emailConfirmation && user?.emailVerifiedAt === null;
    if (!isNamed || isUnverified) return { user };
    return {
      user,
      consume: await this.#verifyAnswer(row, response, { purpose: 'sign_in', subject: '' }, true),
    };
  }

  async check(user: User, proof: string, purpose: FactorPurpose): Promise<Consume | undefined> {
    const response = parseAssertion(proof);
    if (response === undefined) return undefined;
    const row = await findPasskey(this.#db, response.id);
    if (row?.user_id !== user.id) return undefined;
    return this.#verifyAnswer(row, response, useOf(purpose), false);
  }

  purge(db: Database, limit: number): Promise<number> {
    return this.#challenges.purge(db, limit);
  }

  #requestOptions(
    use: ChallengeUse,
    rows: readonly PasskeyRow[],
    userVerification: 'required' | 'discouraged',
  ): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return webauthn().generateAuthenticationOptions({
      rpID: this.relyingParty.id,
      challenge: this.#challenges.create(use),
      timeout: challengeMs,
      allowCredentials: rows.map(descriptorOf),
      userVerification,
    });
  }

  /** Whether a credential is somebody's for whom it does not give way. */
  async #isRegistered(tx: Database, { credential_id: id }: { credential_id: string }): Promise<boolean> {
    return this.#emailConfirmation ? isVerifiedCredential(tx, id) : (await findPasskey(tx, id)) !== undefined;
  }

  /** A credential that waits in an account that nobody has confirmed is free to whoever shows it. */
  async #releaseUnverifiedCredential(
    tx: Database,
    { credential_id: id }: { credential_id: string },
  ): Promise<void> {
    if (this.#emailConfirmation) await removeUnverified(tx, id);
  }

  /** What spends an answer of the passkey, if it is right. */
  async #verifyAnswer(
    row: PasskeyRow,
    response: AuthenticationResponseJSON,
    use: ChallengeUse,
    isAlone: boolean,
  ): Promise<Consume | undefined> {
    let challenge: LiveChallenge | undefined;
    const answer = await this.#judge(async () => {
      const { verified, authenticationInfo } = await webauthn().verifyAuthenticationResponse({
        response,
        expectedChallenge: (encoded) => (challenge = this.#challenges.read(use, encoded)) !== undefined,
        expectedOrigin: [...this.relyingParty.origins],
        expectedRPID: this.relyingParty.id,
        // The statement compares the counters, so that of two answers at once it refuses one.
        credential: { id: row.credential_id, publicKey: new Uint8Array(row.public_key), counter: 0 },
        requireUserVerification: isAlone,
      });
      return verified ? authenticationInfo : undefined;
    });
    const spent = challenge;
    if (answer === undefined || spent === undefined) return undefined;
    const { newCounter: counter } = answer;
    if (counter <= row.counter && counter + row.counter > 0)
      this.#log.warn(
        { user_id: row.user_id, passkey_id: row.id, counter, last_counter: row.counter },
        'A passkey was rejected: its signature counter decreased, so it may have been cloned',
      );
    return async (tx) =>
      (await this.#challenges.consume(tx, spent)) &&
      usePasskey(tx, { id: row.id, counter, storage: storageOf(answer), now: this.#clock() });
  }

  /** What the library finds. It says by errors what is wrong with an answer, and does so of any nonsense. */
  async #judge<T>(work: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message.slice(0, reasonCharacters) : String(error);
      this.#log.info({ reason }, 'A passkey was rejected');
      return undefined;
    }
  }
}

function registeredAlready(): Problem {
  return fieldProblem('credential', 'is already registered', 'registered_already');
}

function useOf({ purpose, subjectId }: FactorPurpose): ChallengeUse {
  return { purpose, subject: subjectId };
}

function descriptorOf({ credential_id: id, transports }: PasskeyRow): { id: string; transports: string[] } {
  return { id, transports: JSON.parse(transports) as string[] }; // written by verifyCreation
}

/** Where the key is kept (WebAuthn Level 3 §6.1.3). */
function storageOf({
  credentialDeviceType,
  credentialBackedUp,
}: {
  credentialDeviceType: CredentialDeviceType;
  credentialBackedUp: boolean;
}): string {
  if (credentialDeviceType === 'singleDevice') return 'device';
  return credentialBackedUp ? 'synced' : 'syncable';
}

// A simulated authenticator with its browser: creates credentials and answers requests according to WebAuthn Level 3,
// honestly or not, as a test chooses. Real ones are in server/src/features/passkey/test/browser.system.ts.
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';

/** How a device or its browser deviates. */
export interface Quirks {
  readonly origin?: string;
  readonly rpId?: string;
  /** Whether the device verified its user; true by default. */
  readonly isVerified?: boolean;
  /** Whether its user was present; true by default. */
  readonly isPresent?: boolean;
  /** The counter value that it claims. */
  readonly counter?: number;
  readonly challenge?: string;
  readonly userHandle?: string;
  readonly type?: string;
  /** Signs with another key. */
  readonly isForged?: boolean;
  /** Flips a bit of the response's signature. */
  readonly isTampered?: boolean;
}

interface Credential {
  readonly id: string;
  readonly rpId: string;
  readonly userHandle: string;
  readonly key: KeyObject;
  counter: number;
}

interface CreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id: string };
  readonly user: { readonly id: string };
  readonly excludeCredentials: readonly { readonly id: string }[];
}

interface RequestOptions {
  readonly challenge: string;
  readonly rpId: string;
  readonly allowCredentials?: readonly { readonly id: string }[];
}

const flag = { present: 0x01, verified: 0x04, eligible: 0x08, backedUp: 0x10, attested: 0x40 } as const;

export class PasskeyDevice {
  readonly credentials: Credential[] = [];
  readonly #origin: string;
  /** It counts its uses; synced ones do not. */
  readonly #counts: boolean;

  constructor(origin: string, { counts = false }: { counts?: boolean } = {}) {
    this.#origin = origin;
    this.#counts = counts;
  }

  /** The result of navigator.credentials.create(), as JSON text. @throws if the options exclude the device. */
  create(publicKey: unknown, quirks: Quirks = {}): string {
    const { challenge, rp, user, excludeCredentials } = publicKey as CreationOptions; // the service's own options
    if (this.credentials.some(({ id }) => excludeCredentials.some((one) => one.id === id)))
      throw new Error('InvalidStateError');
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const id = randomBytes(16).toString('base64url');
    const credential = { id, rpId: rp.id, userHandle: user.id, key, counter: this.#counts ? 1 : 0 };
    this.credentials.push(credential);
    return this.#attest(credential, challenge, quirks);
  }

  /** The last credential again, as a response to other options: a dishonest client may send this. */
  remake(publicKey: unknown): string {
    const { challenge } = publicKey as CreationOptions; // the service's own options
    const credential = this.credentials.at(-1);
    if (credential === undefined) throw new Error('nothing was made before');
    return this.#attest(credential, challenge, {});
  }

  /** The result of navigator.credentials.get(), as JSON text. @throws if the device has no such passkey. */
  get(publicKey: unknown, quirks: Quirks = {}): string {
    const { challenge, rpId, allowCredentials = [] } = publicKey as RequestOptions; // the service's own options
    const credential = this.credentials.findLast(
      (one) =>
        one.rpId === rpId &&
        (allowCredentials.length === 0 || allowCredentials.some(({ id }) => id === one.id)),
    );
    if (credential === undefined) throw new Error('NotAllowedError');
    if (this.#counts) credential.counter += 1;
    const clientData = this.#clientData('webauthn.get', challenge, quirks);
    const data = this.#authenticatorData(credential, quirks, 0);
    const key = quirks.isForged
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
      : credential.key;
    const signature = sign('sha256', Buffer.concat([data, sha256(clientData)]), key);
    if (quirks.isTampered) signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
    return JSON.stringify({
      id: credential.id,
      rawId: credential.id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: clientData.toString('base64url'),
        authenticatorData: data.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: quirks.userHandle ?? credential.userHandle,
      },
    });
  }

  #attest(credential: Credential, challenge: string, quirks: Quirks): string {
    const { id, key } = credential;
    const attested = Buffer.concat([
      Buffer.alloc(16), // AAGUID
      Buffer.from([0, 16]),
      Buffer.from(id, 'base64url'),
      coseKey(createPublicKey(key)),
    ]);
    const data = Buffer.concat([this.#authenticatorData(credential, quirks, flag.attested), attested]);
    const attestationObject = Buffer.concat([
      Buffer.from([0xa3]),
      cborText('fmt'),
      cborText('none'),
      cborText('attStmt'),
      Buffer.from([0xa0]),
      cborText('authData'),
      cborBytes(data),
    ]);
    return JSON.stringify({
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: this.#clientData('webauthn.create', challenge, quirks).toString('base64url'),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal'],
      },
    });
  }

  #clientData(type: string, challenge: string, quirks: Quirks): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: quirks.type ?? type,
        challenge: quirks.challenge ?? challenge,
        origin: quirks.origin ?? this.#origin,
        crossOrigin: false,
      }),
    );
  }

  /** WebAuthn Level 3 §6.1: digest of the RP ID, flags, counter. */
  #authenticatorData(
    credential: Credential,
    { rpId, isVerified = true, isPresent = true, counter }: Quirks,
    more: number,
  ): Buffer {
    const flags =
      (isPresent ? flag.present : 0) |
      (isVerified ? flag.verified : 0) |
      (this.#counts ? 0 : flag.eligible | flag.backedUp) |
      more;
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter ?? credential.counter);
    return Buffer.concat([sha256(Buffer.from(rpId ?? credential.rpId)), Buffer.from([flags]), count]);
  }
}

/** An ES256 key (RFC 9053 §7.1.1) as CBOR: {1: 2, 3: -7, -1: 1, -2: x, -3: y}. */
function coseKey(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return Buffer.concat([
    Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
    cborBytes(Buffer.from(x, 'base64url')),
    Buffer.from([0x22]),
    cborBytes(Buffer.from(y, 'base64url')),
  ]);
}

/** A short text (RFC 8949 §3.1, major type 3). */
function cborText(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x60 | text.length]), Buffer.from(text)]);
}

/** A byte string (RFC 8949 §3.1, major type 2). */
function cborBytes(bytes: Buffer): Buffer {
  const head = bytes.length < 256 ? [0x58, bytes.length] : [0x59, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from(head), bytes]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

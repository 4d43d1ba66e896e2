// Known devices: browsers in which a user has signed in. A known device has a rate limit of its own, gets no mail about
// a new device, and may be remembered: then it needs no second factor for a while.
import { createToken, parseToken } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { deviceKind } from '../cookie-kinds.ts';
import type { Session } from '../session/session-entry.ts';
import { signInEvents } from './event.ts';
import {
  addDevice,
  findKnownDevice,
  clearRememberedDevices,
  hasDevices,
  listRemembered,
  rememberDevice,
  removeDevice,
  removeDevicesOf,
  removeExpiredDevices,
  type KnownDevice,
  type RememberedDevice,
} from './device-store.ts';

/** Characters of a user agent that are stored. */
const userAgentCharacters = 500;
/** Known devices of one user; a new one replaces the oldest. */
const devicesPerUser = 20;

/** The device of a sign-in, if it is known, and the source of the request. */
interface UsedDevice {
  readonly device: KnownDevice | undefined;
  readonly source: ClientSource;
}

/** Adds, finds, remembers and removes known devices. */
export class Devices {
  readonly name = 'known devices';
  readonly kind = 'device';
  readonly #context: AuthContext;
  readonly #knownMs: number;
  #rememberedMs = 0;

  /** `knownMs`: how long a device is known after a sign-in; 0 knows no devices. */
  constructor(context: AuthContext, { knownMs }: { readonly knownMs: number }) {
    this.#context = context;
    this.#knownMs = knownMs;
  }

  /** Lets users remember devices, for the given milliseconds. Call it before the first request. */
  allowRemembering(ms: number): void {
    this.#rememberedMs = ms;
  }

  /** How long a device is known, in milliseconds: at least as long as it is remembered. Also the life of its cookie. */
  get knownMs(): number {
    return Math.max(this.#knownMs, this.#rememberedMs);
  }

  /** True if every sign-in makes its device known, not only one that is remembered. */
  get knowsAll(): boolean {
    return this.#knownMs > 0;
  }

  /** True if users may remember devices. */
  get canRemember(): boolean {
    return this.#rememberedMs > 0;
  }

  /** Returns the device of a token, if this user has signed in on it. Constant work. */
  async find(
    user: User | undefined,
    deviceToken: string | undefined,
    db: Database = this.#context.db,
  ): Promise<KnownDevice | undefined> {
    const parts = parseToken(deviceKind, deviceToken);
    return parts && findKnownDevice(db, parts, user?.id ?? noUserId, this.#context.clock());
  }

  /** Returns true if any device of the user is known. */
  hasAny(db: Database, userId: number): Promise<boolean> {
    return hasDevices(db, userId);
  }

  /** Returns true if the device needs no second factor now. */
  isRemembered(device: KnownDevice | undefined): boolean {
    return this.canRemember && (device?.remembered_until ?? 0) > this.#context.clock();
  }

  /** Adds a device and returns its handle and token. Inside a transaction. */
  async add(tx: Database, userId: number): Promise<{ id: string; token: string }> {
    const { id, secretHash, token } = createToken(deviceKind);
    const now = this.#context.clock();
    await addDevice(tx, { id, secretHash, userId, now, expiresAt: now + this.knownMs }, devicesPerUser);
    return { id, token };
  }

  /**
   * As `isRemembered`, for the device of a sign-in. Read again in the transaction: after the device was read, an added
   * authenticator may have ended the remembering.
   */
  async isRememberedStill(tx: Database, user: User, { device, source }: UsedDevice): Promise<boolean> {
    return this.isRemembered(device) && this.isRemembered(await this.find(user, source.deviceToken, tx));
  }

  /**
   * Lets the device of a sign-in, or the one that it added, sign in without a second factor from now on, for the
   * configured time. Returns the token of an added one. Inside a transaction.
   */
  async rememberOf(
    tx: Database,
    userId: number,
    { device, source }: UsedDevice,
    added: string | undefined,
  ): Promise<string | undefined> {
    const known = device?.id ?? parseToken(deviceKind, added)?.id;
    const { id, token } = known === undefined ? await this.add(tx, userId) : { id: known, token: added };
    await rememberDevice(tx, {
      id,
      until: this.#context.clock() + this.#rememberedMs,
      userAgent: source.device?.slice(0, userAgentCharacters) ?? null,
    });
    return token;
  }

  /** Requires a second factor on all devices of the user again. The devices stay known. Inside a transaction. */
  async forgetRemembered(tx: Database, userId: number): Promise<void> {
    await clearRememberedDevices(tx, userId);
  }

  /** Lists the devices of a user that need no second factor, newest first. */
  listRemembered(userId: number): Promise<RememberedDevice[]> {
    return listRemembered(this.#context.db, userId, this.#context.clock());
  }

  /** Removes a device of the session's user; returns false if the user has no device with this handle. */
  forget({ userId }: Session, id: string, source: ClientSource): Promise<boolean> {
    const { db, events } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await removeDevice(tx, userId, id))) return false;
      await events.emit(tx, signInEvents.device_forgotten, {
        user: { id: userId },
        target: { kind: 'device', id },
        source,
      });
      return true;
    });
  }

  /** See Revocable. */
  async revokeAll(tx: Database, userId: number): Promise<void> {
    await removeDevicesOf(tx, userId);
  }

  /** Removes up to `limit` expired devices and returns how many. */
  purge(limit: number): Promise<number> {
    const { db, clock } = this.#context;
    return removeExpiredDevices(db, clock(), limit);
  }
}

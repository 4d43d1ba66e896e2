// Answers a refresh token that was used a moment ago with the same successor: two tabs, and an app that lost the reply,
// would otherwise sign the person out. It never gets a second successor, with which a thief could continue.
import type { AdapterPayload } from 'oidc-provider';
import { secondMs, type Clock } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import type { ColumnCipher } from '../../../keys/sealed.ts';
import { findClient } from '../client/store.ts';
import { consumeToken, countTokenReplay, findToken, type IssuedToken } from '../grant/token-store.ts';
import { storedId } from './token-form.ts';
import type { Consumption, Replay } from './unit.ts';

export interface RefreshReplayParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly cipher: ColumnCipher;
}

/** Access tokens that one used refresh token may still bring. */
const maxReplays = 20;

export class RefreshReplay {
  readonly #parts: RefreshReplayParts;

  constructor(parts: RefreshReplayParts) {
    this.#parts = parts;
  }

  /** Consumes a code or token; a refresh token keeps its successor, encrypted. Returns false if it was consumed before. */
  consume(tx: Database, { kind, id }: Consumption, successor: string | undefined): Promise<boolean> {
    const isRotated = kind === 'RefreshToken' && successor !== undefined;
    const sealed = isRotated ? this.#parts.cipher.encrypt(successor, id) : null;
    return consumeToken(tx, { id, sealed, now: this.#parts.clock() });
  }

  /**
   * Returns the successor of a consumed refresh token if it may be sent again; `undefined` if the family must end: the
   * grace has passed, or the successor was used.
   */
  async find({ id, sealed, consumedAt, clientId }: IssuedToken): Promise<Replay | undefined> {
    const { db, clock, cipher } = this.#parts;
    if (sealed === null || consumedAt === null || clientId === null) return undefined;
    const grace = (await findClient(db, clientId))?.lifetimes.refreshGraceSeconds ?? 0;
    // Another instance, or a clock that was set back, must not make the grace longer.
    if (Math.abs(clock() - consumedAt) >= grace * secondMs) return undefined;
    const successor = cipher.decrypt(sealed, id);
    const next = await findToken(db, storedId('RefreshToken', successor));
    if (next === undefined || next.consumedAt !== null) return undefined;
    const { exp = 0 } = JSON.parse(next.payload) as AdapterPayload; // written by the adapter
    return { id, successor, exp };
  }

  /** As `find`, for a request that lost the race for the same token. */
  async findById(id: string): Promise<Replay | undefined> {
    const row = await findToken(this.#parts.db, id);
    return row && this.find(row);
  }

  /** Counts an answer with the successor; returns false if there were too many. */
  count(tx: Database, { id }: Replay): Promise<boolean> {
    return countTokenReplay(tx, id, maxReplays);
  }
}

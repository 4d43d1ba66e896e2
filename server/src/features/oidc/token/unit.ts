// Collects what a request of the provider writes, and writes it in one transaction when the request has succeeded. The
// engine writes one row at a time, and decides by rows that it read before: without this, ten parallel redemptions of one
// code would all get tokens.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AdapterPayload } from 'oidc-provider';
import type { Database } from '../../../db/database.ts';
import type { Client } from '../client/client.ts';

/** A change of a unit. */
type Write = (tx: Database) => Promise<void>;

/** Grants are written before the tokens that refer to them. */
const order = ['grant', 'client', 'token', 'refresh', 'other'] as const;
type Kind = (typeof order)[number];

/** A code or token that the request consumes. */
export interface Consumption {
  /** Name of the engine's model. */
  readonly kind: string;
  /** Key of its row. */
  readonly id: string;
}

/** A refresh token that was used before, and is answered with its successor. */
export interface Replay {
  readonly id: string;
  readonly successor: string;
  /** Unix seconds at which the successor expires. */
  readonly exp: number;
}

/** Another request has consumed the code or token first. */
export class AlreadyConsumed extends Error {
  override readonly name = 'AlreadyConsumed';
  readonly consumption: Consumption;

  constructor(consumption: Consumption) {
    super(`${consumption.kind} was consumed by another request`);
    this.consumption = consumption;
  }
}

/** What a request has read. The engine asks for the same rows again. */
export interface Seen {
  /** Sessions by uid, as the engine stores them. */
  readonly sessions: Map<string, AdapterPayload>;
  /** Grants by id, as the engine stores them. */
  readonly grants: Map<string, AdapterPayload>;
  /** Ids of users by subject. */
  readonly userIds: Map<string, number>;
  /** Grants by client under which the session is stored. */
  readonly sessionClients: Map<string, string | null>;
  readonly clients: Map<string, Client>;
  /** Digests of the secrets of clients. */
  readonly secrets: Map<string, readonly Uint8Array[]>;
  /** When the session ends with which the tokens of the request end, if it is not used again. Unix milliseconds. */
  sessionEndsAt?: number;
}

/** The reads and pending writes of one request. */
export class Unit {
  readonly seen: Seen = {
    sessions: new Map(),
    grants: new Map(),
    userIds: new Map(),
    sessionClients: new Map(),
    clients: new Map(),
    secrets: new Map(),
  };
  readonly #saves: { readonly kind: Kind; readonly write: Write }[] = [];
  readonly #ends: Write[] = [];
  readonly consumptions: Consumption[] = [];
  /** The new refresh token, which becomes the successor of the consumed one. */
  successor: string | undefined;
  replay: Replay | undefined;
  /** A code or token was presented again after its use: its grant ends. */
  reusedGrantId: string | undefined;
  /** A used refresh token may be answered with its successor. Elsewhere, as at introspection, it is used. */
  readonly mayReplay: () => boolean;
  #isClientAuthenticated = false;

  /** @param mayReplay Asked during the request: what it is for is known late. */
  constructor({ mayReplay }: { readonly mayReplay: () => boolean } = { mayReplay: () => false }) {
    this.mayReplay = mayReplay;
  }

  /** Whether the client has proved who it is, by a secret or a key. */
  get isClientAuthenticated(): boolean {
    return this.#isClientAuthenticated;
  }

  noteAuthentication(): void {
    this.#isClientAuthenticated = true;
  }

  save(kind: Kind, write: Write): void {
    this.#saves.push({ kind, write });
  }

  /** Adds the end of a grant or token, which happens also if the request is refused. */
  end(write: Write): void {
    this.#ends.push(write);
  }

  /** Returns whether the request changes nothing. */
  get isEmpty(): boolean {
    return this.#saves.length + this.#ends.length + this.consumptions.length === 0;
  }

  get savesGrant(): boolean {
    return this.#saves.some(({ kind }) => kind === 'grant');
  }

  get endsNothing(): boolean {
    return this.#ends.length === 0;
  }

  /**
   * Writes everything: first what is consumed, so that only one of several requests succeeds.
   * @throws {AlreadyConsumed} if another request was first; the transaction must be rolled back.
   * @throws {ReferenceViolation} if a grant, session, client or user has gone.
   */
  async write(
    tx: Database,
    consume: (tx: Database, consumption: Consumption, successor: string | undefined) => Promise<boolean>,
  ): Promise<void> {
    for (const consumption of this.consumptions)
      if (!(await consume(tx, consumption, this.successor))) throw new AlreadyConsumed(consumption);
    await this.writeSaves(tx);
    await this.writeEnds(tx);
  }

  /** Writes what the request saves, without consuming anything. @param kinds All by default. */
  async writeSaves(tx: Database, kinds: readonly Kind[] = order): Promise<void> {
    for (const one of kinds) for (const { kind, write } of this.#saves) if (kind === one) await write(tx);
  }

  /** Ends grants and tokens. */
  async writeEnds(tx: Database): Promise<void> {
    for (const write of this.#ends) await write(tx);
  }
}

/** The units of running requests. */
const units = new AsyncLocalStorage<Unit>();

/** Runs work whose changes are collected in a unit. */
export function withUnit<T>(unit: Unit, work: () => Promise<T>): Promise<T> {
  return units.run(unit, work);
}

/** Returns the unit of the running request; `undefined` outside of a request. */
export function currentUnit(): Unit | undefined {
  return units.getStore();
}

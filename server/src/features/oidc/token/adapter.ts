// Stores the models of the engine: its sessions are a view of ours, its clients are those that are registered, and the
// rest is in our tables, keyed by digests. Writes wait in the unit of the request.
import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Clock } from '../../../kit/clock.ts';
import { secondMs } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import type { ColumnCipher } from '../../../keys/sealed.ts';
import { findUserBySubject } from '../../../user/details-store.ts';
import { findUserById } from '../../../user/store.ts';
import { metadataOf } from '../session/client-metadata.ts';
import { findGrant, removeGrant, saveGrant } from '../grant/grant-store.ts';
import { findInteraction, removeInteraction, saveInteraction } from '../grant/interaction-store.ts';
import {
  findTokenByUserCode,
  removeToken,
  removeTokensOfGrant,
  saveToken,
  findTokenInUse,
  type IssuedToken,
  type TokenInUse,
} from '../grant/token-store.ts';
import type { RefreshReplay } from './refresh-replay.ts';
import { clientOf, limitGrant, limitToRegistration } from './registered.ts';
import type { SessionView } from '../session/session-view.ts';
import { hasPrefix, storedId } from './token-form.ts';
import type { Unit } from './unit.ts';

export interface AdapterParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly tokenCipher: ColumnCipher;
  readonly interactionCipher: ColumnCipher;
  readonly sessions: SessionView;
  readonly replays: RefreshReplay;
  /** The unit of the running request; `undefined` outside of one. */
  readonly unit: () => Unit | undefined;
}

/** Kinds whose text the engine needs back, because it saves them again after it found them by another key. */
const rereadKinds = new Set(['DeviceCode']);
/** Kinds whose members are encrypted: the request of a user, with a hint that names the user. */
const sealedKinds = new Set(['PushedAuthorizationRequest']);
/** How long a consumed or expired refresh token stays, to recognize that it is presented again. */
const keptMs = 86_400 * secondMs;

/** Returns the adapter of a model. */
export function adapterFor(parts: AdapterParts, model: string): Adapter {
  if (model === 'Session') return sessionAdapter(parts);
  if (model === 'Client') return clientAdapter(parts);
  if (model === 'Grant') return grantAdapter(parts);
  if (model === 'Interaction') return interactionAdapter(parts);
  return tokenAdapter(parts, model);
}

const nothing = async (): Promise<undefined> => undefined;

/** Members that a model does not use. */
const unused: Adapter = {
  upsert: nothing,
  find: nothing,
  findByUid: nothing,
  findByUserCode: nothing,
  consume: nothing,
  destroy: nothing,
  revokeByGrantId: nothing,
};

function sessionAdapter({ sessions, unit, db }: AdapterParts): Adapter {
  return {
    ...unused,
    find: async (token) => {
      const session = await sessions.find(token);
      const known = unit()?.seen.sessionClients;
      for (const [clientId, { grantId = null }] of Object.entries(session?.authorizations ?? {}))
        known?.set(clientId, grantId);
      return session;
    },
    findByUid: async (uid) => unit()?.seen.sessions.get(uid) ?? sessions.findByUid(uid),
    upsert: async (_token, payload) => {
      const save = sessions.saveOf(payload, unit()?.seen.sessionClients);
      if (save !== undefined) await enqueue(unit(), db, 'client', save);
    },
  };
}

function clientAdapter(parts: AdapterParts): Adapter {
  return {
    ...unused,
    find: async (id) => {
      const client = await clientOf(parts, id);
      return client && metadataOf(client);
    },
  };
}

function grantAdapter(parts: AdapterParts): Adapter {
  const { db, clock, unit } = parts;
  return {
    ...unused,
    find: async (id) => {
      const row = unit()?.seen.grants.has(id) === true ? undefined : await findGrant(db, id);
      const grant = row === undefined ? unit()?.seen.grants.get(id) : parse(row.payload);
      const client = await clientOf(parts, grant?.clientId ?? '');
      return grant && client && { ...limitGrant(grant, client), jti: id };
    },
    upsert: async (id, { jti: _jti, ...payload }) => {
      const now = clock();
      const { accountId = '', clientId = '', exp = 0 } = payload;
      const current = unit();
      await enqueue(current, db, 'grant', async (tx) => {
        const userId = await userIdOf(tx, current, accountId);
        if (userId === null) return;
        await saveGrant(tx, {
          id,
          userId,
          clientId,
          outlivesSession: Number(outlivesSession(payload)),
          payload: JSON.stringify(payload),
          expiresAt: exp * secondMs,
          now,
        });
      });
    },
    destroy: async (id) => enqueueEnd(unit(), db, async (tx) => void (await removeGrant(tx, id))),
  };
}

/** The members of a grant that are read here. */
interface GrantMembers {
  readonly openid?: { readonly scope?: string };
}

function outlivesSession(payload: AdapterPayload): boolean {
  const { openid } = payload as GrantMembers; // the engine's model `Grant`
  return openid?.scope?.split(' ').includes('offline_access') === true;
}

function interactionAdapter({ db, clock, interactionCipher: cipher, unit }: AdapterParts): Adapter {
  return {
    ...unused,
    find: async (uid) => {
      const id = storedId('Interaction', uid);
      const row = await findInteraction(db, id);
      return row === undefined || row.expiresAt <= clock()
        ? undefined
        : parse(cipher.decrypt(row.sealed, id));
    },
    upsert: async (uid, payload, seconds = 0) => {
      const id = storedId('Interaction', uid);
      const sealed = cipher.encrypt(JSON.stringify(payload), id);
      const now = clock();
      const expiresAt = now + seconds * secondMs;
      await enqueue(unit(), db, 'other', (tx) => saveInteraction(tx, { id, sealed, now, expiresAt }));
    },
    destroy: async (uid) =>
      enqueueEnd(unit(), db, (tx) => removeInteraction(tx, storedId('Interaction', uid))),
  };
}

function tokenAdapter(parts: AdapterParts, kind: string): Adapter {
  const { db, clock, tokenCipher: cipher, replays, unit } = parts;
  const isReread = rereadKinds.has(kind);
  const isSealed = sealedKinds.has(kind);

  const membersOf = ({ id, payload, sealed }: IssuedToken): AdapterPayload =>
    parse(isSealed && sealed !== null ? cipher.decrypt(sealed, id) : payload);

  /** Returns the members of a stored token that may still be used by its owner. */
  const open = async (row: TokenInUse | undefined, given?: string): Promise<AdapterPayload | undefined> => {
    if (row === undefined || row.kind !== kind) return undefined;
    const issued = membersOf(row);
    const client = row.clientId === null ? undefined : await clientOf(parts, row.clientId);
    const payload = client === undefined ? issued : limitToRegistration(kind, issued, client);
    if (payload === undefined || !(await isInUse(parts, row, payload))) return undefined;
    const jti = given ?? (row.sealed === null ? undefined : cipher.decrypt(row.sealed, row.id));
    if (row.consumedAt === null) {
      const { exp = 0 } = payload;
      const isShortened = exp < (issued.exp ?? 0);
      const isExpired = row.expiresAt <= clock() || (isShortened && exp * secondMs <= clock());
      return { ...payload, jti, ...(isExpired && { exp: 1 }) };
    }
    const current = unit();
    const mayReplay = kind === 'RefreshToken' && current?.mayReplay() === true;
    const replay = mayReplay ? await replays.find(row) : undefined;
    if (current !== undefined) {
      current.replay = replay;
      if (replay === undefined && row.grantId !== null) current.reusedGrantId = row.grantId;
    }
    return {
      ...payload,
      jti,
      ...(replay === undefined && { consumed: Math.floor(row.consumedAt / secondMs) }),
    };
  };

  return {
    ...unused,
    find: async (text) => open(await findPresented(db, kind, text), text),
    findByUserCode: async (userCode) => {
      const row = await findTokenByUserCode(db, storedId('user_code', userCode));
      // An answered one is not unknown, also after the session has ended.
      const found = await open(row && { ...row, sessionUid: null, sessionId: null, grantPayload: null });
      return found && { ...found, userCode };
    },
    upsert: async (text, { jti: _jti, userCode, ...payload }, seconds = 0) => {
      const id = storedId(kind, text);
      const now = clock();
      const keptUntil = now + seconds * secondMs + (kind === 'RefreshToken' ? keptMs : 0);
      const current = unit();
      if (current !== undefined && kind === 'RefreshToken') current.successor = text;
      await enqueue(current, db, kind === 'RefreshToken' ? 'refresh' : 'token', async (tx) => {
        const { accountId, clientId = null, grantId = null, sessionUid, expiresWithSession } = payload;
        const toSeal = isSealed ? JSON.stringify(payload) : isReread ? text : undefined;
        await saveToken(tx, {
          id,
          kind,
          grantId,
          userId: await userIdOf(tx, current, accountId),
          clientId,
          sessionUid: expiresWithSession === true ? (sessionUid ?? null) : null,
          userCode: userCode === undefined ? null : storedId('user_code', userCode),
          payload: isSealed ? '{}' : JSON.stringify(payload),
          sealed: toSeal === undefined ? null : cipher.encrypt(toSeal, id),
          expiresAt: keptUntil,
          now,
        });
      });
    },
    consume: async (text) => {
      const consumption = { kind, id: storedId(kind, text) };
      const current = unit();
      if (current === undefined) throw new Error(`${kind} is consumed outside of a request`);
      current.consumptions.push(consumption);
    },
    destroy: async (text) => enqueueEnd(unit(), db, (tx) => removeToken(tx, storedId(kind, text))),
    revokeByGrantId: async (grantId) => enqueueEnd(unit(), db, (tx) => removeTokensOfGrant(tx, grantId)),
  };
}

/** Finds a code or token by its text. */
async function findPresented(db: Database, kind: string, text: string): Promise<TokenInUse | undefined> {
  const row = hasPrefix(kind, text) ? await findTokenInUse(db, storedId(kind, text)) : undefined;
  // A device that lost the reply polls again: that must not end its tokens (RFC 8628 §3.5 does not ask for it).
  return kind === 'DeviceCode' && typeof row?.consumedAt === 'number' ? undefined : row;
}

/** Notes what a token depends on; returns false if its session has ended, or its user was removed or disabled. */
async function isInUse(
  { db, sessions, unit }: AdapterParts,
  row: TokenInUse,
  { accountId }: AdapterPayload,
): Promise<boolean> {
  const seen = unit()?.seen;
  const { clientId, grantId, grantPayload, sessionId, sessionUid: uid, userId } = row;
  if (accountId !== undefined && userId !== null) seen?.userIds.set(accountId, userId);
  if (grantId !== null && grantPayload !== null)
    seen?.grants.set(grantId, { ...parse(grantPayload), jti: grantId });
  if (uid === null || grantId === null || clientId === null) return isOwnerEnabled(db, row);
  if (sessionId === null) return false;
  // A refresh is a use of the session by its person; userinfo and introspection are not.
  const isUse = row.kind === 'RefreshToken' && row.consumedAt === null && unit()?.mayReplay() === true;
  const found = await sessions.findOfToken({ sessionId, uid, clientId, grantId }, isUse);
  if (seen !== undefined && found !== undefined) seen.sessionEndsAt = found.endsAt;
  // A step-up at the same time gives the session another handle.
  const session = found?.payload ?? (await sessions.findByUid(uid));
  if (session !== undefined) seen?.sessions.set(uid, session);
  return session !== undefined;
}

/** Returns the id of a user; null without a subject, or if the user was removed. */
async function userIdOf(tx: Database, unit: Unit | undefined, subject?: string): Promise<number | null> {
  if (subject === undefined) return null;
  return unit?.seen.userIds.get(subject) ?? (await findUserBySubject(tx, subject))?.id ?? null;
}

/** A token of a user who was disabled is refused, also if it does not end with a session. */
async function isOwnerEnabled(db: Database, { userId }: IssuedToken): Promise<boolean> {
  if (userId === null) return true;
  return (await findUserById(db, userId))?.disabledAt === null;
}

type SaveKind = Parameters<Unit['save']>[0];
type Write = Parameters<Unit['end']>[0];

/** Adds a change to the unit of the request; outside of a request it is written immediately. */
async function enqueue(unit: Unit | undefined, db: Database, kind: SaveKind, write: Write): Promise<void> {
  if (unit === undefined) await db.transaction(write);
  else unit.save(kind, write);
}

async function enqueueEnd(unit: Unit | undefined, db: Database, write: Write): Promise<void> {
  if (unit === undefined) await db.transaction(write);
  else unit.end(write);
}

function parse(text: string): AdapterPayload {
  return JSON.parse(text) as AdapterPayload; // written by `upsert`
}

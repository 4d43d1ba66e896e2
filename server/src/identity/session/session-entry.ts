// The forms of a session: of a request, of a list, and as JSON for its user.
import { formatInstant as instant } from '../../kit/clock.ts';
import { nameDevice } from '../../kit/device.ts';
import type { FactorUse } from '../factor/factor-use.ts';
import type { SessionSummary } from './store.ts';

/** The session of a request. */
export interface Session {
  /** Public handle, a UUID. */
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  /** The user's subject; null if the user has none yet (`Details.subjectOf`). */
  readonly subject: string | null;
  /** The user's name; null without one. */
  readonly name: string | null;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** The browser forgets it when it ends. */
  readonly endsWithBrowser: boolean;
}

/** A session with a new handle and its new token, which the reply sends to the browser: `BrowserCookies.renewSession`. */
export interface RenewedSession extends Session {
  readonly token: string;
}

/** A session of a list, without its secret. */
export interface ListedSession extends SessionSummary {
  /** The factors that were verified for it. */
  readonly uses: readonly FactorUse[];
  /** It was used within the last minutes. */
  readonly isActive: boolean;
  /** Its authentication method references (RFC 8176). */
  readonly amr: readonly string[];
}

/** A session as JSON. */
export interface SessionEntry {
  readonly id: string;
  readonly device?: string;
  readonly address?: string;
  readonly created_at: string;
  readonly last_seen_at: string;
  readonly expires_at: string;
  readonly amr: string[];
  readonly factors: { factor: string; auth_time: string }[];
  /** True for the requesting session. */
  readonly current: boolean;
}

/** Formats a session; `currentId` is the handle of the requesting session. */
export function describeSession(session: ListedSession, currentId: string): SessionEntry {
  const { id, device, address, created_at, last_seen_at, expires_at, uses, amr } = session;
  const name = nameDevice(device ?? undefined);
  return {
    id,
    ...(name !== undefined && { device: name }),
    ...(address !== null && { address }),
    created_at: instant(created_at),
    last_seen_at: instant(last_seen_at),
    expires_at: instant(expires_at),
    amr: [...amr],
    factors: uses.map(({ factor, at }) => ({ factor, auth_time: instant(at) })),
    current: id === currentId,
  };
}

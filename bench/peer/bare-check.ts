import { hash } from 'node:crypto';

export interface SessionRow {
  readonly secret_hash: Uint8Array;
  readonly email: string;
  readonly expires_at: number;
}

/** The service's own session check: one join by primary key. */
export const sessionQuery = `select s.id, s.secret_hash, s.user_id, s.last_seen_at, s.expires_at, u.email
  from sessions s inner join users u on u.id = s.user_id where s.id = $1`;

const cookiePattern = /(?:^|; *)session_id=([0-9a-f-]{36})\.([\w-]{47})(?:;|$)/;

/** Primary key and digest of the session in a Cookie header. */
export function toParts(cookie: string | undefined): { id: string; secretHash: Buffer } | undefined {
  const found = cookiePattern.exec(cookie ?? '');
  if (found?.[1] === undefined || found[2] === undefined) return undefined;
  return { id: found[1], secretHash: hash('sha256', found[2], 'buffer') };
}

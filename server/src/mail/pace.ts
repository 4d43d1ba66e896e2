// Limits the mails that strangers can cause, per recipient: pauses that grow, and a cap per day. Otherwise anyone could
// flood a mailbox by naming its address in a form.
import { createHash } from 'node:crypto';
import { dayMs, minuteMs } from '../kit/clock.ts';
import type { Pace, Paces, Requester } from './mail-kind.ts';

/** Pauses after the first, second, … mail of a kind to a recipient; the last one repeats. */
export const mailPausesMs: readonly number[] = [1, 2, 5, 15, 60].map((minutes) => minutes * minuteMs);
/** Mails of one kind to a recipient within 24 hours: the pauses alone would allow 28. */
const maxPerKind = 10;
/** Mails of all kinds to a recipient within 24 hours, for strangers. */
const maxPerRecipient = 20;

/** Returns the digest that identifies a recipient, of the normal form of the address. */
export function hashRecipient(addressKey: string): string {
  return createHash('sha256').update(addressKey).digest('base64url');
}

/**
 * Returns when the next mail of a kind may be sent: `now`, or the end of the pause; `undefined` if the cap is reached. It
 * takes the place of mails that it replaces: `replaced` has the instants at which these would be sent. The instant of the
 * last mail does not show whether one waits: the clock of another instance may be a little ahead.
 */
export function nextMailAt(
  paces: Paces,
  {
    kind,
    requestedBy,
    replaced,
    now,
  }: { kind: string; requestedBy: Requester; replaced: readonly number[]; now: number },
): number | undefined {
  const pace = current(paces[kind], now);
  // The number of mails to an address depends on whether it has an account. A member must not see that, so only mails
  // of the same kind count for members.
  const isOverAll = requestedBy !== 'member' && current(paces[''], now).count >= maxPerRecipient;
  if (replaced.length === 0 && (isOverAll || pace.count >= maxPerKind)) return undefined;
  const pauseMs = pace.count === 0 ? 0 : (mailPausesMs[pace.count - 1] ?? 60 * minuteMs);
  // After the clock was set back, the last mail is in the future. No mail waits longer than one pause.
  return Math.max(now, Math.min(pace.lastAt + pauseMs, now + pauseMs, ...replaced));
}

/** Returns the paces after a mail of the kind was stored, which replaced `withdrawn` others that were not sent. */
export function afterMail(
  paces: Paces,
  { kind, dueAt, withdrawn, now }: { kind: string; dueAt: number; withdrawn: number; now: number },
): Paces {
  const live = Object.entries(paces).filter(([, pace]) => current(pace, now).count > 0);
  const count = (name: string): Pace => {
    const pace = current(paces[name], now);
    return {
      count: Math.max(pace.count - withdrawn, 0) + 1,
      lastAt: Math.max(dueAt, name === '' ? pace.lastAt : 0),
    };
  };
  return { ...Object.fromEntries(live), [kind]: count(kind), '': count('') };
}

/** Returns when paces no longer matter, in Unix milliseconds. */
export function pacesExpireAt(paces: Paces): number {
  return Math.max(...Object.values(paces).map(({ lastAt }) => lastAt)) + dayMs;
}

/**
 * Counting begins again after a day without a mail, so no 24 hours have more mails than the cap; also after the clock
 * was set back by a day.
 */
function current(pace: Pace | undefined, now: number): Pace {
  return pace === undefined || Math.abs(now - pace.lastAt) >= dayMs ? { count: 0, lastAt: 0 } : pace;
}

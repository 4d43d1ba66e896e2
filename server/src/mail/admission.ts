// Admits mails that someone requests by naming an address: decides when each may be sent, and withdraws the unsent mails
// that it replaces. Everything is decided in the transaction of the request, so that several instances agree.
import { dayMs, minuteMs } from '../kit/clock.ts';
import type { Database } from '../db/database.ts';
import type { Admission, MailRequest, Paces } from './mail-kind.ts';
import { afterMail, hashRecipient, nextMailAt, pacesExpireAt } from './pace.ts';
import { lockPaces, updatePaces } from './pace-store.ts';
import { hasOwnMailAbout, withdrawMails } from './store.ts';

/** Minimum time between two mails of a kind that a user requests in a session or on a known device. */
const ownPauseMs = minuteMs;

/**
 * Decides when a requested mail may be sent, and withdraws the unsent mails of its kind and recipient. The caller then
 * stores the mail with this admission. With `isPaced: false` each request is admitted.
 */
export async function admitMail(
  tx: Database,
  request: MailRequest,
  { now, isPaced }: { readonly now: number; readonly isPaced: boolean },
): Promise<Admission> {
  const { userId, kind, addressKey, requestedBy, isProven } = request;
  const isLimited = isPaced && !isProven;
  // Also checks the minute after now, so that a clock that was set back does not allow additional mails.
  const isTooSoon =
    isLimited &&
    requestedBy !== 'stranger' &&
    (await hasOwnMailAbout(tx, userId, kind, { instant: now, ms: ownPauseMs }));
  const recipientHash = hashRecipient(isTooSoon ? '' : addressKey);
  const isCounted = isLimited && !isTooSoon && requestedBy !== 'owner';
  const paces = isCounted ? await pacesOf(tx, { recipientHash, userId, now }) : undefined;
  const withdrawn = await withdrawMails(tx, { recipientHash, kind, except: isCounted ? 'owner' : '', now });
  const replaced = withdrawn.map((mail) => mail.next_at);
  const nextAt = paces === undefined ? now : nextMailAt(paces, { kind, requestedBy, replaced, now });
  const dueAt = isTooSoon ? undefined : nextAt;
  const uncounted = withdrawn.filter(({ requested_by: by }) => by !== 'owner').length;
  return {
    dueAt,
    replacedTokens: withdrawn.flatMap(({ token_id: id }) => id ?? []),
    mayReplaceToken: !isLimited || requestedBy !== 'stranger',
    paces: paces && afterMail(paces, { kind, dueAt: dueAt ?? now, withdrawn: uncounted, now }),
  };
}

/** Counts a stored mail, if its requester counts. With the hash of no recipient it changes nothing. */
export async function countMail(
  tx: Database,
  recipientHash: string,
  { paces }: Pick<Admission, 'paces'>,
): Promise<void> {
  if (paces !== undefined)
    await updatePaces(tx, { recipientHash, paces: JSON.stringify(paces), expiresAt: pacesExpireAt(paces) });
}

async function pacesOf(
  tx: Database,
  { recipientHash, userId, now }: { recipientHash: string; userId: number; now: number },
): Promise<Paces> {
  const stored = await lockPaces(tx, { recipientHash, userId, expiresAt: now + dayMs });
  return JSON.parse(stored ?? '{}') as Paces; // countMail() stored it
}

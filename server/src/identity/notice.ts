// Mails to the owners of accounts, written in the transaction of what they tell.
import { dayMs } from '../kit/clock.ts';
import type { Database } from '../db/database.ts';
import type { MailFacts, MailKind } from '../mail/text.ts';
import { noUserId, type User } from '../user/user.ts';
import type { AuthContext, ClientSource } from './context.ts';

export interface Notice<K extends MailKind = MailKind> {
  readonly kind: K;
  readonly facts: MailFacts[K];
  /** Another address than the account's: only one that is stored. */
  readonly recipient?: string;
  /** How long it is worth sending. */
  readonly lifeMs?: number;
  /** What an earlier mail of this kind holds is void now: one that was not sent yet is withdrawn. */
  readonly voidsEarlier?: boolean;
}

/** Posts a mail to the user; without one does as much and writes nothing. Where no mail is sent it does nothing. */
export async function notify<K extends MailKind>(
  { post, clock }: AuthContext,
  tx: Database,
  user: User | undefined,
  {
    kind,
    facts,
    recipient,
    lifeMs = dayMs,
    voidsEarlier = false,
    source,
  }: Notice<K> & { source: ClientSource },
): Promise<void> {
  if (post === undefined) return;
  const { address, device } = source;
  const at = clock();
  if (voidsEarlier) await post.withdraw(tx, user?.id ?? noUserId, kind);
  await post.post(tx, {
    kind,
    facts,
    userId: user?.id ?? noUserId,
    recipient: recipient ?? user?.email ?? '',
    language: user?.language ?? source.language,
    occasion: { at, ...(address !== undefined && { address }), ...(device !== undefined && { device }) },
    expiresAt: at + lifeMs,
  });
}

/** True if the user got a mail of this kind a moment ago; asked for nobody it costs the same. */
export async function isFlooded(
  { post }: AuthContext,
  tx: Database,
  user: User | undefined,
  kind: MailKind,
): Promise<boolean> {
  return (await post?.hasPosted(tx, user?.id ?? noUserId, kind)) ?? false;
}

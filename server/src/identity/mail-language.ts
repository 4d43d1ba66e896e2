// Decides the language of a mail.

/** The language of a client, and what shows that its request comes from the owner of an account. */
export interface ClientIdentity {
  readonly language?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly deviceToken?: string | undefined;
}

/**
 * Returns the language of a mail: that of the account. If the account has none, that of a request of its owner; a stranger
 * does not choose it. `undefined` is the default language. `isOwner` is called only if its answer matters.
 */
export async function languageOfMail(
  user: { readonly id: number; readonly language: string | null } | undefined,
  source: ClientIdentity & { readonly actor: string; readonly actorId?: string },
  isOwner: () => Promise<boolean>,
): Promise<string | undefined> {
  const own = user?.language ?? undefined;
  if (own !== undefined || user === undefined || source.language === undefined) return own ?? source.language;
  const isActor = source.actor === 'user' && source.actorId === String(user.id);
  return isActor || (await isOwner()) ? source.language : undefined;
}

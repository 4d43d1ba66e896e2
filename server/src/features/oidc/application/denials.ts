// Says for `user why` which applications a user may not use.
import type { Denial, DenialSource } from '../../../identity/contribution.ts';
import { isForAll } from '../client/client.ts';
import { listClients } from '../client/store.ts';
import { isAllowed } from '../session/account.ts';

/** Returns the rule. @param trustsAddresses Unconfirmed addresses count as verified. */
export function applicationDenials(trustsAddresses: boolean): DenialSource {
  return async (db, user) => {
    const limited = (await listClients(db)).filter(({ access }) => !isForAll(access));
    const denials: Denial[] = [];
    const counts = trustsAddresses || user.emailVerifiedAt !== null;
    for (const { id, access } of limited)
      if (!(await isAllowed(user, { bienvenue_access: access }, { db, trustsAddresses })))
        denials.push({
          means: `The user may not use ${id}: the fields allowed_email_domains, allowed_users and allowed_groups of the client do not include the user.${counts ? '' : ' The address is not confirmed and does not count.'}`,
          remedy: `Compare bienvenue client show ${id} with bienvenue user show ${user.email}.`,
        });
    return denials;
  };
}

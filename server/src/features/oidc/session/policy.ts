// When a person is asked: the prompts of an authorization request, in their order (OpenID Connect Core 1.0 §3.1.2.3).
import type { interactionPolicy, KoaContextWithOIDC } from 'oidc-provider';
import type { User } from '../../../user/user.ts';
import { requestedOf } from './consent.ts';
import { requestedAcrs } from './acr.ts';

type Policy = ReturnType<typeof interactionPolicy.base>;

export interface PolicyParts {
  /** The module of the engine, which is loaded late. */
  readonly library: typeof interactionPolicy;
  /** Returns whether the user can reach one of the contexts by step-up, which the session with these methods has not. */
  readonly canReach: (user: User, amr: readonly string[], acrs: readonly string[]) => Promise<boolean>;
  readonly isAllowed: (user: User, client: object) => Promise<boolean>;
  readonly userOf: (ctx: KoaContextWithOIDC) => User | undefined;
}

/** Returns the prompts. */
export function createPolicy({ library, canReach, isAllowed, userOf }: PolicyParts): Policy {
  const { base, Check, Prompt } = library;
  const policy = base();
  const login = policy.get('login');
  if (login === undefined) throw new Error('The engine has no prompt of the name login');
  // The engine itself obeys only an essential claim. A voluntary one is obeyed too if the user can do so.
  login.checks.add(
    new Check(
      'acr_values',
      'a stronger authentication was requested',
      'interaction_required',
      async (ctx) => {
        const user = userOf(ctx);
        if (user === undefined || ctx.oidc.result?.login !== undefined) return Check.NO_NEED_TO_PROMPT;
        return (await canReach(user, ctx.oidc.session?.amr ?? [], requestedAcrs(ctx.oidc as Requested)))
          ? Check.REQUEST_PROMPT
          : Check.NO_NEED_TO_PROMPT;
      },
    ),
  );
  // The engine would ask for claims that the client cannot receive, and for those that a scope includes.
  const consent = policy.get('consent');
  if (consent === undefined) throw new Error('The engine has no prompt of the name consent');
  consent.checks.remove('op_claims_missing');
  consent.checks.add(
    new Check('op_claims_missing', 'requested claims not granted', 'consent_required', (ctx) => {
      const granted = ctx.oidc.entities.Grant?.getOIDCClaims() ?? [];
      return requestedOf(ctx).claims.every((claim) => granted.includes(claim))
        ? Check.NO_NEED_TO_PROMPT
        : Check.REQUEST_PROMPT;
    }),
  );
  // Asked for before the sign-in, since the person may have no account yet (Initiating User Registration 1.0).
  policy.add(new Prompt({ name: 'create', requestable: true }), 0);
  policy.add(new Prompt({ name: 'select_account', requestable: true }), 2);
  policy.add(
    new Prompt(
      { name: 'access', requestable: false },
      new Check('no_access', 'the user may not use this application', 'access_denied', async (ctx) => {
        const user = userOf(ctx);
        const { client } = ctx.oidc;
        return user === undefined || client === undefined || (await isAllowed(user, client))
          ? Check.NO_NEED_TO_PROMPT
          : Check.REQUEST_PROMPT;
      }),
    ),
    3,
  );
  return policy;
}

type Requested = Parameters<typeof requestedAcrs>[0];

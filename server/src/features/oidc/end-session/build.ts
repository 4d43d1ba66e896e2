// Builds the sign-out by applications from the rules of the service.
import type { Clock } from '../../../kit/clock.ts';
import type { Keyring } from '../../../kit/keyring.ts';
import { SealedState } from '../session/sealed-state.ts';
import { endSessionPages } from './pages.ts';
import type { LogoutQuestion } from './logout-request.ts';
import { endSessionRoutes, type EndSessionParts } from './routes.ts';

export interface EndSessionNeeds extends Omit<EndSessionParts, 'questions'> {
  readonly clock: Clock;
  readonly keyring: Keyring;
}

/** Returns the endpoint and its page, both at the access level `optional`. */
export function buildEndSession({ clock, keyring, ...needs }: EndSessionNeeds): {
  readonly routes: ReturnType<typeof endSessionRoutes>;
  readonly pages: ReturnType<typeof endSessionPages>;
} {
  const questions = new SealedState<LogoutQuestion>(keyring.textCipher('oidc-logout'), clock);
  const parts = { ...needs, questions };
  return { routes: endSessionRoutes(parts), pages: endSessionPages(parts) };
}

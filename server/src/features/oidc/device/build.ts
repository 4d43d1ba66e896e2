// Builds the pages for devices from the rules of the service.
import type Provider from 'oidc-provider';
import type { Keyring } from '../../../kit/keyring.ts';
import type { AuthContext } from '../../../identity/context.ts';
import type { PageKit } from '../../../page/page.ts';
import { SealedState } from '../session/sealed-state.ts';
import { DeviceAnswers, type DeviceAnswerParts } from './device-answers.ts';
import { DeviceRequests } from './device-requests.ts';
import { devicePages, type EnteredCode } from './pages.ts';
import { WrongCodes } from './user-code.ts';

export interface DeviceNeeds extends Pick<DeviceAnswerParts, 'secondFactors' | 'view'> {
  readonly context: Pick<AuthContext, 'db' | 'clock' | 'events'>;
  readonly keyring: Keyring;
  readonly pages: PageKit;
  readonly provider: () => Promise<Provider>;
  readonly trustsAddresses: boolean;
}

/** Returns the pages, at the access level `session`. */
export function buildDevicePages({
  context,
  keyring,
  pages,
  provider,
  trustsAddresses,
  ...needs
}: DeviceNeeds): ReturnType<typeof devicePages> {
  const { db, clock, events } = context;
  const answers = new DeviceAnswers({
    ...needs,
    accounts: { db, metadataClaims: [], trustsAddresses },
    clock,
    events,
    requests: new DeviceRequests({ db, clock, provider }),
    wrongCodes: new WrongCodes(clock),
  });
  return devicePages({
    pages,
    answers,
    entered: new SealedState<EnteredCode>(keyring.textCipher('oidc-device'), clock),
  });
}

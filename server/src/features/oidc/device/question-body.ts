// Renders the question about a device.
import { html } from 'ghtml';
import { addressOf, hidden } from '../../../http/markup.ts';
import type { Visit } from '../../../page/form-page.ts';
import { paths } from '../../../page/paths.ts';
import { oidcPaths } from '../engine/paths.ts';
import { accessItems } from '../interaction/access-text.ts';
import type { DeviceQuestion } from './request.ts';
import { shownCode } from './user-code.ts';

/** Returns the body of the page. @param question.to The sealed code, which its form sends. */
export function questionBody(
  { t, inputs, request: { session } }: Visit,
  { kind, request, letters, to }: DeviceQuestion & { readonly to: string },
): string {
  const { client, access, address } = request;
  const { name } = client;
  const code = shownCode(letters);
  const email = session?.email ?? '';
  const text =
    kind === 'no_access'
      ? html`<p>${t('page.oidc.no_access_what', { email, name })}</p>`
      : html`<p class="who">${email}</p>
          <p>${t('page.oidc.device_confirm_what', { name })}</p>
          <ul class="scopes">
            !${accessItems(t, access)}
          </ul>
          <p class="notice">
            ${t('page.oidc.device_only_you', { code })}
            ${address === undefined ? '' : t('page.oidc.device_address', { address })}
          </p>`;
  const allow =
    kind === 'no_access'
      ? ''
      : html`<button name="answer" value="allow" class="second">${t('page.oidc.allow')}</button>`;
  const again = addressOf(oidcPaths.device, { user_code: code });
  return html`!${text}
    <form method="post" action="${oidcPaths.deviceQuestion}">
      !${inputs} !${hidden('to', to)}
      <div class="pair">
        !${allow}
        <button name="answer" value="deny" class="second">${t('page.oidc.deny')}</button>
      </div>
    </form>
    <p class="links">
      <a href="${addressOf(paths.signOut, { return_to: again })}">${t('page.oidc.switch')}</a>
    </p>`;
}

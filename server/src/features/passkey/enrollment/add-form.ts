import { html } from 'ghtml';
import { hidden } from '../../../http/markup.ts';
import { scriptNotice } from '../../../page/form.ts';
import type { Visit } from '../../../page/form-page.ts';
import { passkeySection } from '../prompt.ts';

const { path } = passkeySection;

/**
 * A button that only a script can make work: hidden without one.
 * @param isAutomatic The script first tries to create the passkey without a prompt.
 */
export function addForm({ t, inputs }: Visit, use: 'sign_in' | 'second_factor', isAutomatic = false): string {
  return html`<form
    method="post"
    action="${path}"
    data-webauthn="create"
    data-options="/profile/passkeys"
    data-use="${use}"
    !${isAutomatic ? 'data-automatic' : ''}
    hidden
  >
    !${inputs} !${hidden('credential', '')} !${isAutomatic ? hidden('automatic', '') : ''} !${scriptNotice(t)}
    <button !${use === 'sign_in' ? '' : 'class="second"'}>${t(`page.passkeys.add_${use}`)}</button>
  </form>`;
}

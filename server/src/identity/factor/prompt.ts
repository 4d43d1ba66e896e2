// Renders the forms that ask for a factor. Each kind of factor contributes its inputs.
import { html } from 'ghtml';
import { field, hidden, notice } from '../../http/markup.ts';
import { currentPasswordField, scriptNotice } from '../../page/form.ts';
import type { Translate } from '../../http/pages.ts';
import type { FactorPurpose } from './factor.ts';

export interface FactorPrompt {
  readonly factor: string;
  /** Returns the inputs; one of them is named `proof`. */
  readonly inputs: (t: Translate, fault: string | undefined, asked: AskedFactor) => string;
  /** Returns attributes of the form for the script; absent if the factor needs no script. */
  readonly script?: (purpose: FactorPurpose['purpose']) => string;
}

/** Whose factor is asked for, and where the user continues. */
interface PromptAccount {
  readonly email: string;
  readonly next: string | undefined;
}

/** For whom and for what a factor is asked for. */
interface AskedFactor extends PromptAccount {
  readonly purpose: FactorPurpose['purpose'];
}

export interface PromptForm {
  readonly account: PromptAccount;
  readonly action: string;
  readonly purpose: FactorPurpose['purpose'];
  /** Markup of hidden inputs. */
  readonly hidden: string;
  /** Markup of inputs below those of the factor. */
  readonly below?: string;
  /** The factor of a rejected attempt, with the message. */
  readonly rejected?: { readonly factor: string; readonly text: string } | undefined;
}

/** Returns a form for each of the factors; all but the first are collapsed. */
export function promptsFor(
  t: Translate,
  prompts: readonly FactorPrompt[],
  names: readonly string[],
  form: PromptForm,
): string {
  const offered = prompts.filter(({ factor }) => names.includes(factor));
  const { rejected } = form;
  const rejectedPrompt = offered.find(({ factor }) => factor === rejected?.factor);
  const first = rejectedPrompt ?? offered[0];
  if (first === undefined) return html`<p>${t('page.factor.none')}</p>`;
  const others = offered.filter((prompt) => prompt !== first);
  return html`!${rejectedPrompt === undefined ? notice('fault', rejected?.text) : ''}
    <p>${t(`page.factor.${first.factor}_ask`)}</p>
    !${promptForm(t, first, form)}
    !${others.map(
      (prompt) =>
        html`<details>
          <summary>${t(`page.factor.${prompt.factor}_ask`)}</summary>
          !${promptForm(t, prompt, form)}
        </details>`,
    )}`;
}

function promptForm(t: Translate, { factor, inputs, script }: FactorPrompt, form: PromptForm): string {
  const fault = form.rejected?.factor === factor ? form.rejected.text : undefined;
  return html`<form method="post" action="${form.action}" !${script?.(form.purpose) ?? ''}>
    !${form.hidden} !${hidden('factor', factor)}
    !${inputs(t, fault, { ...form.account, purpose: form.purpose })} !${form.below ?? ''}
    <button>${t(`page.factor.${factor}_act`)}</button>
  </form>`;
}

/** Asks for the password, at step-up. */
export const passwordPrompt: FactorPrompt = {
  factor: 'password',
  inputs: (t, fault, { email, next }) =>
    currentPasswordField(t, { name: 'proof', id: proofId('password'), fault, email, next }),
};

/**
 * Returns the input for a code. Only codes of apps are filled in by password managers: `one-time-code` would fill such a
 * code into the field of a recovery code.
 */
export function codeInputs(
  factor: string,
  code: 'digits' | 'recovery',
  { label, fault }: { readonly label: string; readonly fault: string | undefined },
): string {
  const autocomplete = code === 'digits' ? 'one-time-code' : 'off';
  return field({ name: 'proof', id: proofId(factor), label, autocomplete, code, fault });
}

/**
 * Returns the id of a factor's input. A page may have several inputs of the same name, and each label needs its own.
 */
function proofId(factor: string): string {
  return `proof-${factor}`;
}

/** Returns the inputs of a factor that needs a script. */
export function scriptInputs(t: Translate, fault: string | undefined): string {
  return html`!${notice('fault', fault)} !${hidden('proof', '')}
    <noscript><p class="notice fault">${t('page.factor.needs_script')}</p></noscript>
    !${scriptNotice(t)}`;
}

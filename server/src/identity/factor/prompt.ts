// How a page asks for a factor. Each kind says what is typed or pressed; around it stands the same form everywhere.
import { html } from 'ghtml';
import { field, hidden, notice } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';

export interface FactorPrompt {
  readonly factor: string;
  /** The inputs; one of them is called `proof`. */
  readonly inputs: (t: Translate, fault: string | undefined) => string;
  /** Attributes of the form, for the script; absent where none is needed. */
  readonly script?: (occasion: 'second_factor' | 'step_up') => string;
}

export interface PromptForm {
  readonly action: string;
  readonly occasion: 'second_factor' | 'step_up';
  /** Inputs that go along: markup. */
  readonly hidden: string;
  /** Inputs that stand below: markup. */
  readonly below?: string;
  /** The factor that was refused just now, and why. */
  readonly refused?: { readonly factor: string; readonly text: string } | undefined;
}

/** Asks for one of the factors: the first is open, the others a press away. */
export function promptsFor(
  t: Translate,
  prompts: readonly FactorPrompt[],
  names: readonly string[],
  form: PromptForm,
): string {
  const offered = prompts.filter(({ factor }) => names.includes(factor));
  const { refused } = form;
  const first = offered.find(({ factor }) => factor === refused?.factor) ?? offered[0];
  if (first === undefined) return html`<p>${t('page.factor.none')}</p>`;
  const others = offered.filter((prompt) => prompt !== first);
  return html`!${promptForm(t, first, form)}
  !${others.map(
    (prompt) =>
      html`<details>
        <summary>${t(`page.factor.${prompt.factor}`)}</summary>
        !${promptForm(t, prompt, form)}
      </details>`,
  )}`;
}

function promptForm(t: Translate, { factor, inputs, script }: FactorPrompt, form: PromptForm): string {
  const fault = form.refused?.factor === factor ? form.refused.text : undefined;
  return html`<form method="post" action="${form.action}" !${script?.(form.occasion) ?? ''}>
    !${form.hidden} !${hidden('factor', factor)} !${inputs(t, fault)} !${form.below ?? ''}
    <button>${t(`page.factor.${factor}_act`)}</button>
  </form>`;
}

/** The password, once more. */
export const passwordPrompt: FactorPrompt = {
  factor: 'password',
  inputs: (t, fault) =>
    field({
      name: 'proof',
      id: proofId('password'),
      label: t('page.field.password'),
      type: 'password',
      autocomplete: 'current-password',
      fault,
    }),
};

/** A code of the factor that is typed. */
export function codeInputs(factor: string, label: string, fault: string | undefined): string {
  return field({ name: 'proof', id: proofId(factor), label, autocomplete: 'one-time-code', fault });
}

/** Several factors are asked for on one page, each by an input of the same name: the label of one must not lead to another. */
function proofId(factor: string): string {
  return `proof-${factor}`;
}

/** A factor that only a script can ask for. */
export function scriptInputs(t: Translate, fault: string | undefined): string {
  return html`!${notice('fault', fault)} !${hidden('proof', '')}
    <noscript><p class="notice fault">${t('page.factor.needs_script')}</p></noscript>
    <p class="notice fault" role="alert" data-failed hidden>${t('page.factor.script_failed')}</p>`;
}

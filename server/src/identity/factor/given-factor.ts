// How a request gives a factor: the fields of a program and of a form, and the message of a form that was refused.
import Type from 'typebox';
import type { Visit } from '../../page/form-page.ts';
import { isNothingGiven, problemText } from '../../page/form.ts';
import { credentialField, formField } from '../../page/page.ts';
import type { FactorPrompt, PromptForm } from './prompt.ts';

/** The field of a program's request that names the factor. */
export const factorName = Type.String({
  minLength: 1,
  maxLength: 32,
  pattern: '^[a-z_]+$',
  description: 'Name of a factor',
});

/** Fields of a form that asks for a factor. */
export const promptFields = { factor: formField, proof: credentialField };

/** Returns the prompt that was refused, with the reason; `undefined` if none was. */
export function rejectedPrompt(
  { t, refusal, typed }: Visit,
  prompts: readonly FactorPrompt[],
): PromptForm['rejected'] {
  if (refusal === undefined) return undefined;
  const { problem } = refusal;
  const factor = typed('factor');
  const hasField = prompts.some((prompt) => prompt.factor === factor && prompt.script === undefined);
  const text = hasField && isNothingGiven(problem) ? t('page.fault.empty') : problemText(t, problem);
  return { factor, text };
}

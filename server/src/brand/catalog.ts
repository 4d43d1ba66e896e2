// Checks the texts with which an operator replaces messages or adds a language, before the service starts.
import { compile, messageKeys, rawMessage, defaultLanguage, type Catalogs } from '../kit/language.ts';

/** An element of a compiled message. */
type Element = ReturnType<ReturnType<typeof compile>['getAst']>[number];
/** Types of elements (`TYPE` of @formatjs/icu-messageformat-parser): arguments, with their plural and select forms. */
const [firstArgument, lastArgument, tag] = [1, 6, 8];

/** Returns whether a text is a language tag in its usual form: `de`, `pt-BR` (RFC 5646 §2.1.1). */
export function isLanguageTag(text: string): boolean {
  if (!/^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/.test(text)) return false;
  try {
    return Intl.getCanonicalLocales(text)[0] === text;
  } catch {
    return false;
  }
}

/** Returns a sentence for each text that pages or mails could not show: unknown, malformed, or with other placeholders. */
export function catalogFaults(catalogs: Catalogs): string[] {
  const known = new Set(messageKeys(defaultLanguage));
  return [...catalogs].flatMap(([language, texts]) =>
    [...texts].flatMap(([key, text]) => {
      const fault = known.has(key) ? faultOf(language, key, text) : 'is not a text of this release';
      return fault === undefined ? [] : [`${key} in ${language}.json ${fault}`];
    }),
  );
}

function faultOf(language: string, key: string, text: string): string | undefined {
  let given: readonly string[];
  try {
    given = placeholdersOf(text, language);
  } catch (error) {
    return `is not a message in ICU format: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (text.trim() === '') return 'is empty';
  if (key === 'page.frame.direction' && text !== 'ltr' && text !== 'rtl') return 'must be ltr or rtl';
  const wanted = placeholdersOf(rawMessage(defaultLanguage, key) ?? '', defaultLanguage);
  if (given.join() === wanted.join()) return undefined;
  const names = wanted.map((name) => `{${name}}`).join(', ');
  return wanted.length === 0
    ? 'must have no placeholders'
    : `must have the placeholders ${names}, and no others`;
}

/** Names of the placeholders of a message, sorted. */
function placeholdersOf(text: string, language: string): readonly string[] {
  const names = new Set<string>();
  const visit = (elements: readonly Element[]): void => {
    for (const element of elements) {
      const type: number = element.type;
      if (type >= firstArgument && type <= lastArgument && 'value' in element) names.add(element.value);
      if (type === tag) throw new Error('It contains a tag'); // the service gives no meaning to tags
      if ('options' in element) for (const { value } of Object.values(element.options)) visit(value);
    }
  };
  visit(compile(text, language).getAst());
  return [...names].toSorted();
}

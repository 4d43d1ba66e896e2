// The pages on which a person lets a device sign in (RFC 8628 §3.3): the code, and then what the device asks for. A code in
// a link is filled in and never sent by itself: an attacker may have sent the link (§5.4).
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../../kit/problem.ts';
import { freeRead } from '../../../http/limit/limits.ts';
import { addressOf, field } from '../../../http/markup.ts';
import { Redirect, form, formPage, type PageRoutes, type Visit } from '../../../page/form-page.ts';
import { faultOf } from '../../../page/form.ts';
import { formField, type PageKit } from '../../../page/page.ts';
import type { ClientSource } from '../../../identity/context.ts';
import { sessionOf } from '../../../identity/session/guard.ts';
import type { Session } from '../../../identity/session/session-entry.ts';
import { oidcPaths } from '../engine/paths.ts';
import { stateField, type SealedState } from '../session/sealed-state.ts';
import type { DeviceQuestion } from './request.ts';
import { questionBody } from './question-body.ts';
import { lettersOf, shownCode } from './user-code.ts';

/** A code that its person has entered. */
export interface EnteredCode {
  readonly letters: string;
  /** No link to the page works for another user. */
  readonly userId: number;
}

/** Problems that the form of the code shows. */
const codeProblems: ReadonlySet<string> = new Set([
  'device_code_unknown',
  'device_code_expired',
  'device_code_used',
]);

/** Checks and answers codes. The class DeviceAnswers does it. */
interface Answers {
  requireCode(letters: string, userId: number, network: string | undefined): Promise<void>;
  questionOf(letters: string, session: Session, here: string): Promise<DeviceQuestion | Redirect>;
  allow(letters: string, session: Session, here: string, source: ClientSource): Promise<string>;
  deny(letters: string): Promise<void>;
}

export interface DevicePageParts {
  readonly pages: PageKit;
  readonly answers: Answers;
  readonly entered: SealedState<EnteredCode>;
}

/** The pages, at the access level `session`. */
export function devicePages(parts: DevicePageParts): PageRoutes['routes'] {
  return async (scope, options) => {
    await codePage(parts)(scope, options);
    await questionPage(parts)(scope, options);
  };
}

/** The page on which the code is typed. */
function codePage({ pages, answers, entered }: DevicePageParts): PageRoutes['routes'] {
  const path = oidcPaths.device;
  return formPage<undefined>(pages, {
    path,
    summary: 'Page: enters the code of a device',
    config: freeRead,
    title: ({ t, query: { done, note } }) => {
      if (done === undefined || note !== undefined) return t('page.oidc.device_title');
      return t(done === 'allowed' ? 'page.oidc.device_allowed_title' : 'page.oidc.device_denied_title');
    },
    subject: (request) => sessionOf(request).id,
    query: Type.Object({ user_code: Type.Optional(formField) }),
    done: { allowed: 'page.oidc.device_allowed' },
    notDone: { denied: 'page.oidc.device_denied', unmet: 'page.oidc.device_unmet' },
    shows: ['user_code'],
    load: () => undefined,
    body: (visit) => {
      const { t, inputs, query, refusal, typed, request } = visit;
      if (query.done !== undefined && refusal === undefined)
        return html`<p>${t('page.oidc.device_next')}</p>
          <p class="links"><a href="${path}">${t('page.oidc.device_again')}</a></p>`;
      return html`<p class="who">${sessionOf(request).email}</p>
        <p>${t('page.oidc.device_what')}</p>
        <form method="post" action="${path}">
          !${inputs}
          !${field({
            name: 'user_code',
            label: t('page.oidc.device_code'),
            code: 'recovery',
            value: typed('user_code', query['user_code']),
            autocomplete: 'off',
            fault: faultOf(t, refusal?.problem, 'user_code'),
          })}
          <button>${t('page.oidc.device_act')}</button>
        </form>`;
    },
    forms: [
      form({
        summary: 'Page: looks up the code of a device',
        fields: Type.Object({ user_code: Type.Optional(formField) }),
        keeps: ['user_code'],
        back: ({ user_code: code }) =>
          addressOf(path, { user_code: pages.queries.parse({ user_code: code }).user_code }),
        submit: async ({ user_code: text = '' }, { request: { session, source } }) => {
          const { userId } = session ?? { userId: 0 }; // of the access level
          const letters = lettersOf(text);
          await answers.requireCode(letters, userId, source.network);
          return addressOf(oidcPaths.deviceQuestion, { to: entered.seal({ letters, userId }) });
        },
      }),
    ],
  }).routes;
}

/** The page that asks whether the device may sign in. */
function questionPage({ pages, answers, entered }: DevicePageParts): PageRoutes['routes'] {
  const path = oidcPaths.deviceQuestion;
  const codeOf = (text: string | undefined, { request }: Visit): string | undefined => {
    const code = entered.open(text);
    return code?.userId === sessionOf(request).userId ? code.letters : undefined;
  };
  return formPage<DeviceQuestion & { readonly to: string }>(pages, {
    path,
    summary: 'Page: asks whether a device may sign in',
    hasEffect: true,
    title: ({ t }, { kind, request: { client } }) =>
      t(kind === 'no_access' ? 'page.oidc.no_access_title' : 'page.oidc.device_confirm_title', {
        name: client.name,
      }),
    subject: (request) => sessionOf(request).id,
    query: Type.Object({ to: stateField }),
    load: async (visit) => {
      const { to = '', note } = visit.query;
      const letters = codeOf(to, visit);
      if (letters === undefined) return new Redirect(addressOf(oidcPaths.device, { note }));
      try {
        const question = await answers.questionOf(letters, sessionOf(visit.request), addressOf(path, { to }));
        return question instanceof Redirect ? question : { ...question, to };
      } catch (error) {
        // The form of the code says what is wrong with it.
        if (!(error instanceof Problem) || !codeProblems.has(error.code)) throw error;
        const typed = { user_code: shownCode(letters) };
        const left = pages.notes.leave(visit.reply, { problem: error, typed });
        return new Redirect(addressOf(oidcPaths.device, { note: left }));
      }
    },
    body: questionBody,
    forms: [
      form({
        summary: 'Page: lets a device sign in, or not',
        fields: Type.Object({ to: stateField, answer: Type.Optional(formField) }),
        back: ({ to }) => (entered.open(to) === undefined ? oidcPaths.device : addressOf(path, { to })),
        submit: async ({ to, answer = '' }, visit) => {
          const letters = codeOf(to, visit);
          if (letters === undefined) return oidcPaths.device;
          const { request } = visit;
          const here = addressOf(path, { to });
          if (answer === 'allow') return answers.allow(letters, sessionOf(request), here, request.source);
          await answers.deny(letters);
          return addressOf(oidcPaths.device, { done: 'denied' });
        },
      }),
    ],
  }).routes;
}

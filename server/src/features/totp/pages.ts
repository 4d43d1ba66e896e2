// The pages of authenticator apps: the list, and the seed of a new one.
import type QrLibrary from 'qr';
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf, field, hidden } from '../../http/markup.ts';
import { toFactorLabel } from '../../http/fields.ts';
import { costing, hashCost } from '../../http/limit/limits.ts';
import type { Translate } from '../../http/pages.ts';
import { faultOf, problemText } from '../../page/form.ts';
import { Redirect, form, formPage, type PageRoutes } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { withTimes } from '../../page/time.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';
import type { BrowserCookies } from '../../identity/browser-cookies.ts';
import { afterEnrollment, enrollmentSubjectOf } from '../../identity/sign-in/guard.ts';
import { subjectIdOf, subjectUserIdOf } from '../../identity/sign-in/subject.ts';
import { totpSection } from './prompt.ts';
import type { AuthenticatorRow } from './store.ts';
import type { NewAuthenticator, Totp } from './totp.ts';

export interface TotpPageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
  readonly totp: Totp;
}

const { path } = totpSection;
const newPath = `${path}/new`;
const removePath = `${path}/remove`;

/** The pages, at the access level `enrollment`. */
export function totpPages(parts: TotpPageParts): PageRoutes['routes'] {
  const all = [listPage(parts), newPage(parts)];
  return async (scope, options) => {
    for (const { routes } of all) await routes(scope, options);
  };
}

const subject = (request: Parameters<typeof enrollmentSubjectOf>[0]): string =>
  subjectIdOf(enrollmentSubjectOf(request));

/** The list, and the button that begins another enrollment. */
function listPage({ pages, enrollment, totp }: TotpPageParts): PageRoutes {
  return formPage<readonly AuthenticatorRow[]>(pages, {
    path,
    summary: 'Page: your authenticator apps',
    title: 'page.totp.title',
    layout: 'account',
    subject,
    done: { added: 'page.totp.added', removed: 'page.totp.removed' },
    load: async ({ request }) => {
      const of = enrollmentSubjectOf(request);
      await enrollment.requireSubject(of);
      return totp.list(subjectUserIdOf(of));
    },
    body: ({ t, inputs }, rows) =>
      html`<p>${t('page.totp.what')}</p>
        !${
          rows.length === 0
            ? ''
            : html`<ul class="rows">
                !${rows.map((row) => authenticatorItem(t, row))}
              </ul>`
        }
        <form method="post" action="${path}">!${inputs}<button>${t('page.totp.add')}</button></form>`,
    forms: [
      form({
        summary: 'Page: begins the enrollment of an authenticator app',
        fields: Type.Object({}),
        submit: async (_fields, { request, t, next }) => {
          const of = enrollmentSubjectOf(request);
          const user = await enrollment.requireSubject(of);
          const id = subjectIdOf(of);
          if ((await totp.findBegun(user, id)) === undefined)
            await totp.begin(user, t('page.totp.usual_name'), id);
          return addressOf(newPath, { return_to: next });
        },
      }),
    ],
  });
}

/** The seed that waits for its first code. It stays the same until it is confirmed or expires. */
function newPage({ pages, cookies, enrollment, totp }: TotpPageParts): PageRoutes {
  return formPage<NewAuthenticator & { readonly qr: string }>(pages, {
    path: newPath,
    summary: 'Page: the seed of a new authenticator app',
    title: 'page.totp.title',
    layout: 'account',
    subject,
    showsRefusal: true,
    load: async ({ request, next }) => {
      const of = enrollmentSubjectOf(request);
      const user = await enrollment.requireSubject(of);
      const made = await totp.findBegun(user, subjectIdOf(of));
      if (made === undefined) return new Redirect(addressOf(path, { return_to: next }));
      const { default: encodeQR } = (await import('qr')) as { default: typeof QrLibrary }; // 40 kB that few users need
      return { ...made, qr: encodeQR(made.uri, 'svg') };
    },
    body: ({ t, inputs, refusal, typed }, { id, secret, uri, qr }) =>
      html`<ol class="steps">
          <li>
            ${t('page.totp.scan')}
            <p class="touch"><a class="button second" href="${uri}">${t('page.totp.open')}</a></p>
            <div class="qr" role="img" aria-label="${t('page.totp.qr')}">!${qr}</div>
            <details>
              <summary>${t('page.totp.type')}</summary>
              <p><code data-copy="${t('page.totp.copy')}">${grouped(secret)}</code></p>
            </details>
          </li>
          <li>${t('page.totp.enter')}</li>
        </ol>
        <form method="post" action="${newPath}">
          !${inputs} !${hidden('id', id)}
          !${field({
            name: 'code',
            label: t('page.totp.code'),
            autocomplete: 'one-time-code',
            code: 'digits',
            fault:
              refusal &&
              (refusal.problem.code === 'factor_invalid'
                ? t('page.totp.wrong')
                : (faultOf(t, refusal.problem, 'code') ?? problemText(t, refusal.problem))),
          })}
          !${field({
            name: 'name',
            label: t('page.totp.name'),
            value: typed('name', t('page.totp.usual_name')),
            autocomplete: 'off',
          })}
          <button>${t('page.totp.confirm')}</button>
        </form>`,
    forms: [
      form({
        summary: 'Page: confirms an authenticator app with its first code',
        config: costing(hashCost),
        fields: Type.Object({
          id: Type.Optional(formField),
          code: Type.Optional(formField),
          name: Type.Optional(formField),
        }),
        keeps: ['name'],
        back: (_fields, { next }) => addressOf(newPath, { return_to: next }),
        submit: async ({ id = '', code = '', name }, { request, reply, next }) => {
          const of = enrollmentSubjectOf(request);
          const change = totp.addition({ id, code, name: toFactorLabel(name) });
          const added = await enrollment.add(of, change, request.source);
          const to = { subject: of, path: addressOf(path, { done: 'added' }), next };
          return afterEnrollment(reply, { cookies, pages }, { ...added, ...to });
        },
      }),
    ],
  });
}

function authenticatorItem(
  t: Translate,
  { id, name, created_at: created, last_used_at: used }: AuthenticatorRow,
): string {
  return html`<li>
    <div>
      <strong>${name}</strong>
      <small>!${withTimes(t, 'page.factor.created', { created }, 'day')}</small>
      !${used === null ? '' : html`<small>!${withTimes(t, 'page.factor.used', { used }, 'ago')}</small>`}
    </div>
    <a
      class="button small danger"
      href="${addressOf(removePath, { id })}"
      aria-label="${t('page.totp.remove_one', { name })}"
      >${t('page.totp.remove')}</a
    >
  </li>`;
}

/** Groups the characters, for reading aloud. */
function grouped(secret: string): string {
  return secret.replaceAll(/.{4}(?=.)/g, '$& ');
}

// The page of the user's passkeys, which lists, adds and renames them. The browser script (assets/page.js) creates the
// passkey and puts it into the form.
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../../kit/device.ts';
import { toFactorLabel } from '../../../http/fields.ts';
import { costing, hashCost } from '../../../http/limit/limits.ts';
import { addressOf, field, hidden } from '../../../http/markup.ts';
import { form, formPage, type PageRoutes, type Visit } from '../../../page/form-page.ts';
import type { Translate } from '../../../http/pages.ts';
import type { SectionState } from '../../../page/account-section.ts';
import { credentialField, formField, requireGiven, type PageKit } from '../../../page/page.ts';
import { withTimes } from '../../../page/time.ts';
import type { Enrollment } from '../../../identity/enrollment/enrollment.ts';
import type { BrowserCookies } from '../../../identity/browser-cookies.ts';
import { afterEnrollment, enrollmentSubjectOf } from '../../../identity/sign-in/guard.ts';
import { subjectIdOf, subjectUserIdOf } from '../../../identity/sign-in/subject.ts';
import { enrollmentOf } from '../challenge.ts';
import { addForm } from './add-form.ts';
import type { Passkeys } from '../passkey.ts';
import { passkeySection } from '../prompt.ts';
import type { PasskeyRow } from '../store.ts';

export interface PasskeyPageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
  readonly passkeys: Passkeys;
}

const { path } = passkeySection;
const removePath = `${path}/remove`;

const subject = (request: Parameters<typeof enrollmentSubjectOf>[0]): string =>
  subjectIdOf(enrollmentSubjectOf(request));

/** The list, at the access level `enrollment`. */
export function passkeyPages({
  pages,
  cookies,
  enrollment,
  passkeys,
}: PasskeyPageParts): PageRoutes['routes'] {
  return formPage<readonly PasskeyRow[]>(pages, {
    path,
    summary: 'Page: your passkeys',
    title: 'page.passkeys.title',
    layout: 'account',
    subject,
    done: {
      added: 'page.passkeys.added',
      removed: 'page.passkeys.removed',
      renamed: 'page.passkeys.renamed',
    },
    load: async ({ request }) => {
      const of = enrollmentSubjectOf(request);
      await enrollment.requireSubject(of);
      return passkeys.list(subjectUserIdOf(of));
    },
    body: (visit, rows) => {
      const { t } = visit;
      return html`<p>${t('page.passkeys.what')}</p>
        !${
          rows.length === 0
            ? ''
            : html`<ul class="rows" !${signalData(passkeys, rows)}>
                !${rows.map((row) => passkeyItem(visit, row))}
              </ul>`
        }
        <noscript><p class="notice fault">${t('page.factor.needs_script')}</p></noscript>
        !${addForm(visit, 'sign_in')} !${addForm(visit, 'second_factor')}`;
    },
    forms: [
      form({
        summary: 'Page: adds a passkey',
        config: costing(hashCost),
        fields: Type.Object({
          credential: Type.Optional(credentialField),
          automatic: Type.Optional(formField),
        }),
        submit: async ({ credential = '', automatic = '' }, { request, reply, next }) => {
          const { source } = request;
          requireGiven('credential', credential);
          const of = enrollmentSubjectOf(request);
          const verified = await passkeys.verifyCreation(
            credential,
            enrollmentOf(subjectIdOf(of)),
            automatic === 'true',
          );
          const naming = { device: nameDevice(source.device) };
          const added = await enrollment.add(of, passkeys.addition(verified, naming), source);
          const to = { subject: of, path: addressOf(path, { done: 'added' }), next };
          return afterEnrollment(reply, { cookies, pages }, { ...added, ...to });
        },
      }),
      form({
        path: `${path}/rename`,
        summary: 'Page: renames a passkey',
        fields: Type.Object({ id: Type.Optional(formField), name: Type.Optional(formField) }),
        keeps: ['id', 'name'],
        submit: async ({ id = '', name }, { request }) => {
          const label = toFactorLabel(name);
          if (label === undefined) return path;
          await passkeys.rename(subjectUserIdOf(enrollmentSubjectOf(request)), id, label);
          return addressOf(path, { done: 'renamed' });
        },
      }),
    ],
  }).routes;
}

/** Returns the state of the section for the account page. */
export function stateOf(t: Translate, rows: readonly PasskeyRow[]): SectionState {
  if (rows.length === 0) return { text: t('page.passkeys.no_passkeys') };
  const last = Math.max(...rows.map(({ last_used_at: used }) => used ?? 0));
  const count = t('page.passkeys.count', { count: rows.length });
  const used = last === 0 ? '' : ` · ${withTimes(t, 'page.factor.used', { used: last }, 'ago')}`;
  return { text: html`${count}` + used, tone: 'good' };
}

/** Data for the script, which signals to the browser which passkeys exist. */
function signalData(passkeys: Passkeys, rows: readonly PasskeyRow[]): string {
  const [first] = rows;
  if (first === undefined) return '';
  return html`data-signal="${JSON.stringify(passkeys.signalOf(first.user_handle, rows))}"`;
}

function passkeyItem({ t, inputs, typed }: Visit, row: PasskeyRow): string {
  const { id, name, kind, storage, created_at: created, last_used_at: used } = row;
  const isOpen = typed('id') === id;
  const facts = [
    withTimes(t, 'page.factor.created', { created }, 'day'),
    ...(used === null ? [] : [withTimes(t, 'page.factor.used', { used }, 'ago')]),
    t(`page.passkeys.${kind === 'security_key' ? 'security_key' : storage}`),
  ];
  return html`<li>
    <div>
      <strong>${name}</strong>
      !${facts.map((fact) => html`<small>!${fact}</small>`)}
      <details !${isOpen ? 'open' : ''}>
        <summary>${t('page.passkeys.change')}</summary>
        <form method="post" action="${path}/rename">
          !${inputs} !${hidden('id', id)}
          !${field({ id: `name-${id}`, name: 'name', label: t('page.passkeys.name'), value: isOpen ? typed('name') : name, autocomplete: 'off' })}
          <button class="small">${t('page.passkeys.rename')}</button>
        </form>
      </details>
    </div>
    <a
      class="button small danger"
      href="${addressOf(removePath, { id })}"
      aria-label="${t('page.passkeys.remove_one', { name })}"
      >${t('page.passkeys.remove')}</a
    >
  </li>`;
}

// The page of the user's passkeys: lists, adds, renames and removes them. The browser script (assets/page.js) creates the
// passkey and puts it into the form.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../../kit/device.ts';
import type { Problem } from '../../../kit/problem.ts';
import { hashCost, toFactorLabel } from '../../../http/fields.ts';
import { costing } from '../../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../../http/markup.ts';
import type { Translate } from '../../../http/pages.ts';
import {
  seeOther,
  rerenderOnProblem,
  credentialField,
  formField,
  PageQuery,
  type PageKit,
} from '../../../page/page.ts';
import { refusalOf } from '../../../page/form.ts';
import type { BrowserCookies } from '../../../identity/guard.ts';
import { enrollmentSubjectOf, afterEnrollment } from '../../../identity/sign-in/guard.ts';
import { subjectIdOf, subjectUserIdOf } from '../../../identity/sign-in/subject.ts';
import type { Enrollment } from '../../../identity/enrollment/enrollment.ts';
import { enrollmentOf } from '../challenge.ts';
import type { Passkeys } from '../passkey.ts';
import { passkeySection } from '../prompt.ts';
import type { PasskeyRow } from '../store.ts';

const OwnForm = Type.Object({
  id: Type.Optional(formField),
  name: Type.Optional(formField),
  credential: Type.Optional(credentialField),
  return_to: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** The page, and its forms that add, rename and remove a passkey. */
export function passkeyPages({
  pages,
  cookies,
  enrollment,
  passkeys,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  const { path } = passkeySection;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const subject = enrollmentSubjectOf(request);
    await enrollment.requireSubject(subject);
    const rows = await passkeys.list(subjectUserIdOf(subject));
    const token = pages.formToken(subjectIdOf(subject));
    const next = subject.pending === undefined ? undefined : pages.returnTo(request);
    const add = (use: 'sign_in' | 'second_factor'): string =>
      html`<form
        method="post"
        action="${path}"
        data-webauthn="create"
        data-options="/profile/passkeys"
        data-use="${use}"
        hidden
      >
        !${token} !${hidden('credential', '')} !${hidden('return_to', next)}
        <p class="notice fault" role="alert" data-failed hidden>${t('page.factor.script_failed')}</p>
        <button !${use === 'sign_in' ? '' : 'class="second"'}>${t(`page.passkeys.add_${use}`)}</button>
      </form>`;
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${doneNotice(t, done)} !${refusalOf(t, problem, [])}
      <p>${t('page.passkeys.what')}</p>
      !${
        rows.length === 0
          ? ''
          : html`<ul class="rows" !${signalData(passkeys, rows)}>
              !${rows.map((row) => passkeyItem(t, row, token))}
            </ul>`
      }
      <noscript><p class="notice fault">${t('page.factor.needs_script')}</p></noscript>
      !${add('sign_in')} !${add('second_factor')}`;
    return pages.sendAccount(request, reply, { title: t('page.passkeys.title'), body: body });
  };

  return async (scope) => {
    scope.get(
      path,
      { schema: { summary: 'Page: your passkeys', querystring: PageQuery } },
      async (request, reply) => show(request, reply),
    );

    scope.post(
      path,
      { config: costing(hashCost), schema: { summary: 'Page: adds a passkey', body: OwnForm } },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        pages.requireForm(subjectIdOf(subject), request.body.form_token);
        return rerenderOnProblem(
          reply,
          async () => {
            const source = request.source;
            const { credential = '' } = request.body;
            const verified = await passkeys.verifyCreation(credential, enrollmentOf(subjectIdOf(subject)));
            const naming = { device: nameDevice(source.device) };
            const { login } = await enrollment.add(subject, passkeys.addition(verified, naming), source);
            return afterEnrollment(reply, cookies, {
              subject,
              login,
              path: addressOf(path, { done: 'added' }),
              next: pages.returnTo(request),
            });
          },
          (problem) => show(request, reply, problem),
        );
      },
    );

    scope.post(
      `${path}/rename`,
      { schema: { summary: 'Page: renames a passkey', body: OwnForm } },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const { id = '', name, form_token: token } = request.body;
        pages.requireForm(subjectIdOf(subject), token);
        const label = toFactorLabel(name);
        if (label !== undefined) await passkeys.rename(subjectUserIdOf(subject), id, label);
        return seeOther(reply, path);
      },
    );

    scope.post(
      `${path}/remove`,
      { schema: { summary: 'Page: removes a passkey', body: OwnForm } },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const { id = '', form_token: token } = request.body;
        pages.requireForm(subjectIdOf(subject), token);
        return rerenderOnProblem(
          reply,
          async () => {
            const { renewed } = await enrollment.change(subject, passkeys.removal(id), request.source);
            cookies.renewSession(request, reply, renewed);
            return seeOther(reply, addressOf(path, { done: 'removed' }));
          },
          (problem) => show(request, reply, problem),
        );
      },
    );
  };
}

function doneNotice(t: Translate, done: string | undefined): string {
  if (done === 'added') return notice('done', t('page.passkeys.added'));
  return notice('done', done === 'removed' ? t('page.passkeys.removed') : undefined);
}

/** Data for the script, which signals to the browser which passkeys exist. */
function signalData(passkeys: Passkeys, rows: readonly PasskeyRow[]): string {
  const [first] = rows;
  if (first === undefined) return '';
  return html`data-signal="${JSON.stringify(passkeys.signalOf(first.user_handle, rows))}"`;
}

function passkeyItem(t: Translate, row: PasskeyRow, token: string): string {
  const { id, name, kind, storage, created_at: created, last_used_at: used } = row;
  const facts = [
    t('page.factor.created', { created }),
    ...(used === null ? [] : [t('page.factor.used', { used })]),
    t(`page.passkeys.${kind === 'security_key' ? 'security_key' : storage}`),
  ];
  return html`<li>
    <div>
      <strong>${name}</strong>
      !${facts.map((fact) => html`<small>${fact}</small>`)}
      <details>
        <summary>${t('page.passkeys.change')}</summary>
        <form method="post" action="${passkeySection.path}/rename">
          !${token} !${hidden('id', id)}
          !${field({ id: `name-${id}`, name: 'name', label: t('page.passkeys.name'), value: name, autocomplete: 'off' })}
          <button class="small">${t('page.passkeys.rename')}</button>
        </form>
        <form method="post" action="${passkeySection.path}/remove">
          !${token} !${hidden('id', id)}
          <button class="small danger">${t('page.passkeys.remove')}</button>
        </form>
      </details>
    </div>
  </li>`;
}

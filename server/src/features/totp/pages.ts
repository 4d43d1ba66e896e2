// The page of authenticator apps: enrolls, lists and removes them.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type QrLibrary from 'qr';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { field, hidden, notice } from '../../http/markup.ts';
import { hashCost, toFactorLabel } from '../../http/fields.ts';
import { totpSection } from './prompt.ts';
import type { AuthenticatorRow } from './store.ts';
import type { NewAuthenticator, Totp } from './totp.ts';
import { seeOther, rerenderOnProblem, formField, PageQuery, type PageKit } from '../../page/page.ts';
import { refusalOf } from '../../page/form.ts';
import type { BrowserCookies } from '../../identity/guard.ts';
import { enrollmentSubjectOf, afterEnrollment } from '../../identity/sign-in/guard.ts';
import { costing } from '../../http/limits.ts';
import { subjectIdOf, subjectUserIdOf } from '../../identity/sign-in/subject.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';
import type { Translate } from '../../http/pages.ts';
import { addressOf } from '../../http/markup.ts';

const OwnForm = Type.Object({
  id: Type.Optional(formField),
  name: Type.Optional(formField),
  code: Type.Optional(formField),
  secret: Type.Optional(formField),
  return_to: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** The pages of authenticator apps. */
export function totpPages({
  pages,
  cookies,
  enrollment,
  totp,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
  readonly totp: Totp;
}): FastifyPluginAsyncTypebox {
  const { path } = totpSection;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const subject = enrollmentSubjectOf(request);
    await enrollment.requireSubject(subject);
    const rows = await totp.list(subjectUserIdOf(subject));
    const token = pages.formToken(subjectIdOf(subject));
    const next = subject.pending === undefined ? undefined : pages.returnTo(request);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${done === 'added' ? notice('done', t('page.totp.added')) : ''}
      !${done === 'removed' ? notice('done', t('page.totp.removed')) : ''} !${refusalOf(t, problem, [])}
      <p>${t('page.totp.what')}</p>
      !${
        rows.length === 0
          ? ''
          : html`<ul class="rows">
              !${rows.map((row) => authenticatorItem(t, row, token))}
            </ul>`
      }
      <form method="post" action="${path}">
        !${token} !${hidden('return_to', next)}
        !${field({
          name: 'name',
          label: t('page.totp.name'),
          value: t('page.totp.usual_name'),
          autocomplete: 'off',
        })}
        <button>${t('page.totp.add')}</button>
      </form>`;
    return pages.sendAccount(request, reply, { title: t('page.totp.title'), body: body });
  };

  const showSeed = async (
    request: FastifyRequest,
    reply: FastifyReply,
    made: NewAuthenticator,
    isWrong = false,
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const subject = enrollmentSubjectOf(request);
    const { default: encodeQR } = (await import('qr')) as { default: typeof QrLibrary }; // 40 kB that few users need
    const body = html`<ol class="steps">
        <li>
          ${t('page.totp.scan')}
          <div class="qr" role="img" aria-label="${t('page.totp.qr')}">!${encodeQR(made.uri, 'svg')}</div>
          <details>
            <summary>${t('page.totp.type')}</summary>
            <p><code>${grouped(made.secret)}</code></p>
            <p><a href="${made.uri}">${t('page.totp.open')}</a></p>
          </details>
        </li>
        <li>${t('page.totp.enter')}</li>
      </ol>
      <form method="post" action="${path}/confirm">
        !${pages.formToken(subjectIdOf(subject))} !${hidden('id', made.id)} !${hidden('secret', made.secret)}
        !${hidden('return_to', subject.pending === undefined ? undefined : pages.returnTo(request))}
        !${field({
          name: 'code',
          label: t('page.totp.code'),
          autocomplete: 'one-time-code',
          fault: isWrong ? t('page.totp.wrong') : undefined,
        })}
        <button>${t('page.totp.confirm')}</button>
      </form>`;
    return pages.sendAccount(request, reply, { title: t('page.totp.title'), body: body });
  };

  return async (scope) => {
    scope.get(
      path,
      { schema: { summary: 'Page: your authenticator apps', querystring: PageQuery } },
      async (request, reply) => show(request, reply),
    );

    scope.post(
      path,
      { schema: { summary: 'Page: shows the seed of another authenticator app', body: OwnForm } },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        pages.requireForm(subjectIdOf(subject), request.body.form_token);
        const user = await enrollment.requireSubject(subject);
        const name = toFactorLabel(request.body.name) ?? pages.translate(request)('page.totp.usual_name');
        return showSeed(request, reply, await totp.begin(user, name));
      },
    );

    scope.post(
      `${path}/confirm`,
      {
        config: costing(hashCost),
        schema: { summary: 'Page: confirms an authenticator app with its first code', body: OwnForm },
      },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const { id = '', code = '', secret = '', form_token: token } = request.body;
        pages.requireForm(subjectIdOf(subject), token);
        return rerenderOnProblem(
          reply,
          async () => {
            const { login } = await enrollment.add(subject, totp.addition({ id, code }), request.source);
            return afterEnrollment(reply, cookies, {
              subject,
              login,
              path: addressOf(path, { done: 'added' }),
              next: pages.returnTo(request),
            });
          },
          async (problem) => {
            const user = await enrollment.requireSubject(subject);
            const uri = totp.uriOf(user, secret);
            if (problem.code !== 'factor_invalid' || uri === undefined) return show(request, reply, problem);
            return showSeed(request, reply, { id, secret, uri }, true);
          },
        );
      },
    );

    scope.post(
      `${path}/remove`,
      { schema: { summary: 'Page: removes an authenticator app', body: OwnForm } },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const { id = '', form_token: token } = request.body;
        pages.requireForm(subjectIdOf(subject), token);
        return rerenderOnProblem(
          reply,
          async () => {
            const { renewed } = await enrollment.change(subject, totp.removal(id), request.source);
            cookies.renewSession(request, reply, renewed);
            return seeOther(reply, addressOf(path, { done: 'removed' }));
          },
          (problem) => show(request, reply, problem),
        );
      },
    );
  };
}

function authenticatorItem(
  t: Translate,
  { id, name, created_at: created, last_used_at: used }: AuthenticatorRow,
  token: string,
): string {
  return html`<li>
    <div>
      <strong>${name}</strong>
      <small>${t('page.factor.created', { created })}</small>
      !${used === null ? '' : html`<small>${t('page.factor.used', { used })}</small>`}
    </div>
    <form method="post" action="${totpSection.path}/remove">
      !${token} !${hidden('id', id)}
      <button class="small danger" aria-label="${t('page.totp.remove_one', { name })}">
        ${t('page.totp.remove')}
      </button>
    </form>
  </li>`;
}

/** Groups the characters, for reading aloud. */
function grouped(secret: string): string {
  return secret.replaceAll(/.{4}(?=.)/g, '$& ');
}

// Authenticator apps on pages: setting one up, the list, and how a code is asked for.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type QrLibrary from 'qr';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import type { Say } from '../../http/pages.ts';
import { accountBody } from '../../identity/account/pages.ts';
import { holderIdOf, holderUserIdOf } from '../../identity/enrollment/enrollment.ts';
import { hashCost, toFactorLabel } from '../../http/fields.ts';
import { factorHolderOf, sourceOf } from '../../identity/sign-in/guard.ts';
import { refusalOf } from '../../page/page-form.ts';
import {
  afterFactor,
  formField,
  formToken,
  goOn,
  orAgain,
  PageQuery,
  requireForm,
  returnTo,
  type PageRoom,
} from '../../page/page-guard.ts';
import { totpSection } from './prompt.ts';
import type { AuthenticatorRow } from './store.ts';
import type { NewAuthenticator, Totp } from './totp.ts';

export interface TotpPageRoom extends PageRoom {
  readonly totp: Totp;
}

const OwnForm = Type.Object({
  id: Type.Optional(formField),
  name: Type.Optional(formField),
  code: Type.Optional(formField),
  secret: Type.Optional(formField),
  return_to: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** Behind the door of who may change factors. */
export const totpPages: FastifyPluginAsyncTypebox<TotpPageRoom> = async (scope, room) => {
  const { auth, pages, totp } = room;
  const { path } = totpSection;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const say = pages.speak(request);
    const holder = factorHolderOf(request);
    await auth.factorChanges.requireHolder(holder);
    const rows = await totp.list(holderUserIdOf(holder));
    const token = formToken(room, holderIdOf(holder));
    const next = holder.pending === undefined ? undefined : returnTo(room, request);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${done === 'added' ? notice('done', say('page.totp.added')) : ''}
      !${done === 'removed' ? notice('done', say('page.totp.removed')) : ''} !${refusalOf(say, problem, [])}
      <p>${say('page.totp.what')}</p>
      !${
        rows.length === 0
          ? ''
          : html`<ul class="rows">
              !${rows.map((row) => authenticatorItem(say, row, token))}
            </ul>`
      }
      <form method="post" action="${path}">
        !${token} !${hidden('return_to', next)}
        !${field({
          name: 'name',
          label: say('page.totp.name'),
          value: say('page.totp.usual_name'),
          autocomplete: 'off',
        })}
        <button>${say('page.totp.add')}</button>
      </form>`;
    return pages.send(request, reply, { title: say('page.totp.title'), body: accountBody(say, body) });
  };

  const showSeed = async (
    request: FastifyRequest,
    reply: FastifyReply,
    made: NewAuthenticator,
    isWrong = false,
  ): Promise<FastifyReply> => {
    const say = pages.speak(request);
    const holder = factorHolderOf(request);
    const { default: encodeQR } = (await import('qr')) as { default: typeof QrLibrary }; // 40 kB that few need
    const body = html`<ol class="steps">
        <li>
          ${say('page.totp.scan')}
          <div class="qr" role="img" aria-label="${say('page.totp.qr')}">!${encodeQR(made.uri, 'svg')}</div>
          <details>
            <summary>${say('page.totp.type')}</summary>
            <p><code>${grouped(made.secret)}</code></p>
            <p><a href="${made.uri}">${say('page.totp.open')}</a></p>
          </details>
        </li>
        <li>${say('page.totp.enter')}</li>
      </ol>
      <form method="post" action="${path}/confirm">
        !${formToken(room, holderIdOf(holder))} !${hidden('id', made.id)} !${hidden('secret', made.secret)}
        !${hidden('return_to', holder.pending === undefined ? undefined : returnTo(room, request))}
        !${field({
          name: 'code',
          label: say('page.totp.code'),
          autocomplete: 'one-time-code',
          fault: isWrong ? say('page.totp.wrong') : undefined,
        })}
        <button>${say('page.totp.confirm')}</button>
      </form>`;
    return pages.send(request, reply, { title: say('page.totp.title'), body: accountBody(say, body) });
  };

  scope.get(
    path,
    { schema: { summary: 'Page: your authenticator apps', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );

  scope.post(
    path,
    { schema: { summary: 'Page: shows the seed of another authenticator app', body: OwnForm } },
    async (request, reply) => {
      const holder = factorHolderOf(request);
      requireForm(room, holderIdOf(holder), request.body.form_token);
      const user = await auth.factorChanges.requireHolder(holder);
      const name = toFactorLabel(request.body.name) ?? pages.speak(request)('page.totp.usual_name');
      return showSeed(request, reply, await totp.begin(user, name));
    },
  );

  scope.post(
    `${path}/confirm`,
    {
      config: costing(hashCost),
      schema: { summary: 'Page: confirms an authenticator app by a code of it', body: OwnForm },
    },
    async (request, reply) => {
      const holder = factorHolderOf(request);
      const { id = '', code = '', secret = '', form_token: token } = request.body;
      requireForm(room, holderIdOf(holder), token);
      return orAgain(
        reply,
        async () => {
          const { login } = await auth.factorChanges.add(
            holder,
            totp.addition({ id, code }),
            sourceOf(request, room),
          );
          return afterFactor(room, { request, reply, holder, login }, addressOf(path, { done: 'added' }));
        },
        async (problem) => {
          const user = await auth.factorChanges.requireHolder(holder);
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
      const holder = factorHolderOf(request);
      const { id = '', form_token: token } = request.body;
      requireForm(room, holderIdOf(holder), token);
      return orAgain(
        reply,
        async () => {
          await auth.factorChanges.change(holder, totp.removal(id), sourceOf(request, room));
          return goOn(reply, addressOf(path, { done: 'removed' }));
        },
        (problem) => show(request, reply, problem),
      );
    },
  );
};

function authenticatorItem(
  say: Say,
  { id, name, created_at: created, last_used_at: used }: AuthenticatorRow,
  token: string,
): string {
  return html`<li>
    <div>
      <strong>${name}</strong>
      <small>${say('page.passkeys.created', { created })}</small>
      !${used === null ? '' : html`<small>${say('page.passkeys.used', { used })}</small>`}
    </div>
    <form method="post" action="${totpSection.path}/remove">
      !${token} !${hidden('id', id)}
      <button class="small danger" aria-label="${say('page.totp.remove_one', { name })}">
        ${say('page.totp.remove')}
      </button>
    </form>
  </li>`;
}

/** As a person reads it aloud. */
function grouped(secret: string): string {
  return secret.replaceAll(/.{4}(?=.)/g, '$& ');
}

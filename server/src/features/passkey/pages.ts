// Passkeys on pages: the buttons that sign in and register with one, how one is asked for, and the list of one's own.
// The script asks the browser and puts its answer into the form; what is done with it is done here.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import type { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { accountBody } from '../../identity/account/pages.ts';
import { subjectIdOf, subjectUserIdOf } from '../../identity/enrollment/enrollment.ts';
import { hashCost, mailCost, toFactorLabel } from '../../http/fields.ts';
import { enrollmentSubjectOf, rememberBrowser, sendLogin, sourceOf } from '../../identity/sign-in/guard.ts';
import { refusalOf } from '../../page/page-form.ts';
import {
  afterFactor,
  afterLogin,
  formField,
  formToken,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  pageSourceOf,
  paths,
  requireForm,
  returnTo,
  type PageRoom,
  type SignInWay,
} from '../../page/page-guard.ts';
import { codeForm } from '../../identity/token/pages.ts';
import { registering } from '../../identity/account/sign-up-pages.ts';
import { passkeySection } from './prompt.ts';
import { enrollmentOf } from './challenge.ts';
import { registerWithPasskey, signInWithPasskey } from './entrance.ts';
import type { Passkeys } from './passkey.ts';
import type { PasskeyRow } from './store.ts';

export interface PasskeyPageRoom extends PageRoom {
  readonly passkeys: Passkeys;
}

const SignInForm = Type.Object({ credential: formField, return_to: Type.Optional(formField) });
const RegisterForm = Type.Object({
  email: formField,
  credential: formField,
  return_to: Type.Optional(formField),
});
const OwnForm = Type.Object({
  id: Type.Optional(formField),
  name: Type.Optional(formField),
  credential: Type.Optional(formField),
  return_to: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** Beside the password, to sign in. */
export const passkeySignIn: SignInWay = {
  form: (room, request, next) =>
    passkeyForm(room, request, {
      action: `${paths.signIn}/passkey`,
      next,
      key: 'page.passkeys.sign_in',
      script: 'data-webauthn="get" data-options="/sessions/passkey" data-autofill',
    }),
};

/** In the place of a password, to make an account. */
export const passkeySignUp: SignInWay = {
  form: (room, request, next) =>
    passkeyForm(room, request, {
      action: `${paths.signUp}/passkey`,
      next,
      key: 'page.passkeys.sign_up',
      script: 'data-webauthn="create" data-options="/users/passkey" data-email="email"',
      more: hidden('email', ''),
    }),
};

const Endpoints = Type.Object({ enroll: Type.String(), manage: Type.String() });

/** Where password managers lead a person who may have a passkey (W3C, Passkey endpoints). */
export const passkeyEndpointRoutes: FastifyPluginAsyncTypebox<PasskeyPageRoom> = async (scope, room) => {
  const manage = `${room.publicOrigin}${passkeySection.path}`;
  scope.get(
    '/.well-known/passkey-endpoints',
    {
      schema: {
        summary: 'Where passkeys are made and looked after',
        response: { 200: Endpoints },
      },
    },
    async () => ({ enroll: manage, manage }),
  );
};

/** Signing in, and making an account. */
export const passkeyOpenPages: FastifyPluginAsyncTypebox<PasskeyPageRoom> = async (scope, room) => {
  const { rules, pages } = room;
  const refuse = (
    request: FastifyRequest,
    reply: FastifyReply,
    { problem, back, titleKey }: { problem: Problem; back: string; titleKey: string },
  ): FastifyReply => {
    const t = pages.speak(request);
    const address = addressOf(back, { return_to: returnTo(room, request) });
    const body = html`!${refusalOf(t, problem, [])}
      <p class="links"><a href="${address}">${t('page.problem.again')}</a></p>`;
    return pages.send(request, reply, { title: t(titleKey), body });
  };

  scope.post(
    `${paths.signIn}/passkey`,
    { config: costing(hashCost), schema: { summary: 'Page: signs in with a passkey', body: SignInForm } },
    async (request, reply) =>
      rerenderOnProblem(
        reply,
        async () => {
          const { login } = await signInWithPasskey(room, request.body.credential, sourceOf(request, room));
          sendLogin(reply, room, login);
          return seeOther(reply, afterLogin(login, returnTo(room, request)));
        },
        (problem) => refuse(request, reply, { problem, back: paths.signIn, titleKey: 'page.sign_in.title' }),
      ),
  );

  scope.post(
    `${paths.signUp}/passkey`,
    {
      config: costing(mailCost),
      schema: { summary: 'Page: makes an account with a passkey', body: RegisterForm },
    },
    async (request, reply) =>
      rerenderOnProblem(
        reply,
        async () => {
          const address = requireEmailAddress(request.body.email);
          const { text: email } = address;
          const source = pageSourceOf(room, request);
          const account = { address, credential: request.body.credential };
          await registering(room, () => registerWithPasskey(room, account, source));
          if (!rules.emailConfirmation)
            return seeOther(reply, addressOf(paths.signIn, { email, return_to: source.returnTo }));
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind: 'verification', email });
        },
        (problem) => refuse(request, reply, { problem, back: paths.signUp, titleKey: 'page.sign_up.title' }),
      ),
  );
};

/** Behind the door of who may change factors: the list. */
export const passkeyPages: FastifyPluginAsyncTypebox<PasskeyPageRoom> = async (scope, room) => {
  const { auth, pages, passkeys } = room;
  const { path } = passkeySection;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const subject = enrollmentSubjectOf(request);
    await auth.enrollment.requireSubject(subject);
    const rows = await passkeys.list(subjectUserIdOf(subject));
    const token = formToken(room, subjectIdOf(subject));
    const next = subject.pending === undefined ? undefined : returnTo(room, request);
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
    return pages.send(request, reply, { title: t('page.passkeys.title'), body: accountBody(t, body) });
  };

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
      requireForm(room, subjectIdOf(subject), request.body.form_token);
      return rerenderOnProblem(
        reply,
        async () => {
          const source = sourceOf(request, room);
          const { credential = '' } = request.body;
          const verified = await passkeys.verifyCreation(credential, enrollmentOf(subjectIdOf(subject)));
          const naming = { device: nameDevice(source.device) };
          const { login } = await auth.enrollment.add(subject, passkeys.addition(verified, naming), source);
          return afterFactor(room, { request, reply, subject, login }, addressOf(path, { done: 'added' }));
        },
        (problem) => show(request, reply, problem),
      );
    },
  );

  scope.post(
    `${path}/rename`,
    { schema: { summary: 'Page: gives a passkey another name', body: OwnForm } },
    async (request, reply) => {
      const subject = enrollmentSubjectOf(request);
      const { id = '', name, form_token: token } = request.body;
      requireForm(room, subjectIdOf(subject), token);
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
      requireForm(room, subjectIdOf(subject), token);
      return rerenderOnProblem(
        reply,
        async () => {
          await auth.enrollment.change(subject, passkeys.removal(id), sourceOf(request, room));
          return seeOther(reply, addressOf(path, { done: 'removed' }));
        },
        (problem) => show(request, reply, problem),
      );
    },
  );
};

function doneNotice(t: Translate, done: string | undefined): string {
  if (done === 'added') return notice('done', t('page.passkeys.added'));
  return notice('done', done === 'removed' ? t('page.passkeys.removed') : undefined);
}

/** For the script, which tells the browser which passkeys there still are. */
function signalData(passkeys: Passkeys, rows: readonly PasskeyRow[]): string {
  const [first] = rows;
  if (first === undefined) return '';
  return html`data-signal="${JSON.stringify(passkeys.signalOf(first.user_handle, rows))}"`;
}

function passkeyItem(t: Translate, row: PasskeyRow, token: string): string {
  const { id, name, kind, storage, created_at: created, last_used_at: used } = row;
  const facts = [
    t('page.passkeys.created', { created }),
    ...(used === null ? [] : [t('page.passkeys.used', { used })]),
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

interface PasskeyForm {
  readonly action: string;
  readonly next: string | undefined;
  readonly key: string;
  /** Attributes for the script. */
  readonly script: string;
  readonly more?: string;
}

/** A button that only a script can make work: hidden without one. */
function passkeyForm(
  room: PageRoom,
  request: FastifyRequest,
  { action, next, key, script, more = '' }: PasskeyForm,
): string {
  const t = room.pages.speak(request);
  return html`<form method="post" action="${action}" !${script} hidden>
    <p class="or"><span>${t('page.sign_in.or')}</span></p>
    !${hidden('credential', '')} !${hidden('return_to', next)} !${more}
    <p class="notice fault" role="alert" data-failed hidden>${t('page.factor.script_failed')}</p>
    <button class="second">${t(key)}</button>
  </form>`;
}

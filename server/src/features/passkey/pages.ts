// Passkeys on pages: the buttons that sign in and register with one, how one is asked for, and the list of one's own.
// The script asks the browser and puts its answer into the form; what is done with it is done here.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import type { Problem } from '../../kit/problem.ts';
import { field, hidden, notice } from '../../http/markup.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { hashCost, mailCost, toFactorLabel } from '../../http/fields.ts';
import { verificationKind } from '../../identity/account/verification.ts';
import { passkeySection } from './prompt.ts';
import { enrollmentOf } from './challenge.ts';
import type { Passkeys } from './passkey.ts';
import type { PasskeyRow } from './store.ts';
import { seeOther, rerenderOnProblem, formField, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { refusalOf } from '../../page/form.ts';
import { pageSourceOf, type BrowserCookies } from '../../identity/guard.ts';
import { enrollmentSubjectOf, sendLogin, afterLogin, afterEnrollment } from '../../identity/sign-in/guard.ts';
import { costing } from '../../http/limits.ts';
import type { SignInWay } from '../../page/sign-in-way.ts';
import { subjectIdOf, subjectUserIdOf } from '../../identity/sign-in/subject.ts';
import { codeForm } from '../../identity/token/pages.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';
import { registerQuietly, type RegistrationPolicy } from '../../identity/account/registration.ts';
import type { PasskeyEntrance } from './entrance.ts';
import type { Translate } from '../../http/pages.ts';
import { addressOf } from '../../http/markup.ts';

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

/** The button that signs in with a passkey. */
export function passkeySignIn(pages: PageKit): SignInWay {
  return {
    place: 'below',
    render: (request, next) =>
      passkeyForm(pages, request, {
        action: `${paths.signIn}/passkey`,
        next,
        key: 'page.passkeys.sign_in',
        script: 'data-webauthn="get" data-options="/sessions/passkey" data-autofill',
      }),
  };
}

/** The button that registers with a passkey instead of a password. */
export function passkeySignUp(pages: PageKit): SignInWay {
  return {
    place: 'below',
    render: (request, next) =>
      passkeyForm(pages, request, {
        action: `${paths.signUp}/passkey`,
        next,
        key: 'page.passkeys.sign_up',
        script: 'data-webauthn="create" data-options="/users/passkey" data-email="email"',
        more: hidden('email', ''),
      }),
  };
}

const Endpoints = Type.Object({ enroll: Type.String(), manage: Type.String() });

/** Where password managers lead a person who may have a passkey (W3C, Passkey endpoints). */
export function passkeyEndpointRoutes({ pages }: { readonly pages: PageKit }): FastifyPluginAsyncTypebox {
  const manage = `${pages.publicOrigin}${passkeySection.path}`;

  return async (scope) => {
    scope.get(
      '/.well-known/passkey-endpoints',
      {
        schema: {
          summary: 'Lists the pages on which passkeys are created and managed',
          response: { 200: Endpoints },
        },
      },
      async () => ({ enroll: manage, manage }),
    );
  };
}

/** Signing in, and making an account. */
export function passkeyOpenPages({
  pages,
  cookies,
  policy,
  entrance,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly policy: RegistrationPolicy;
  readonly entrance: PasskeyEntrance;
}): FastifyPluginAsyncTypebox {
  const refuse = (
    request: FastifyRequest,
    reply: FastifyReply,
    { problem, back, titleKey }: { problem: Problem; back: string; titleKey: string },
  ): FastifyReply => {
    const t = pages.translate(request);
    const address = addressOf(back, { return_to: pages.returnTo(request) });
    const body = html`!${refusalOf(t, problem, [])}
      <p class="links"><a href="${address}">${t('page.problem.again')}</a></p>`;
    return pages.send(request, reply, { title: t(titleKey), body });
  };

  return async (scope) => {
    scope.post(
      `${paths.signIn}/passkey`,
      { config: costing(hashCost), schema: { summary: 'Page: signs in with a passkey', body: SignInForm } },
      async (request, reply) =>
        rerenderOnProblem(
          reply,
          async () => {
            const { login } = await entrance.signIn(request.body.credential, request.source);
            sendLogin(reply, cookies, login);
            return seeOther(reply, afterLogin(login, pages.returnTo(request)));
          },
          (problem) =>
            refuse(request, reply, { problem, back: paths.signIn, titleKey: 'page.sign_in.title' }),
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
            const source = pageSourceOf(pages, request);
            const account = { address, credential: request.body.credential };
            await registerQuietly(policy, () => entrance.register(account, source));
            if (!policy.emailConfirmation)
              return seeOther(reply, addressOf(paths.signIn, { email, return_to: source.returnTo }));
            cookies.setRequest(reply, source);
            return codeForm(pages, request, reply, { kind: verificationKind, email });
          },
          (problem) =>
            refuse(request, reply, { problem, back: paths.signUp, titleKey: 'page.sign_up.title' }),
        ),
    );
  };
}

/** Behind the door of who may change factors: the list. */
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
      { schema: { summary: 'Page: gives a passkey another name', body: OwnForm } },
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
            await enrollment.change(subject, passkeys.removal(id), request.source);
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

/** For the script, which tells the browser which passkeys there still are. */
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
  pages: PageKit,
  request: FastifyRequest,
  { action, next, key, script, more = '' }: PasskeyForm,
): string {
  const t = pages.translate(request);
  return html`<form method="post" action="${action}" !${script} hidden>
    <p class="or"><span>${t('page.sign_in.or')}</span></p>
    !${hidden('credential', '')} !${hidden('return_to', next)} !${more}
    <p class="notice fault" role="alert" data-failed hidden>${t('page.factor.script_failed')}</p>
    <button class="second">${t(key)}</button>
  </form>`;
}

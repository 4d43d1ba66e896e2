// The pages that the links of mails open, and those where their codes are typed. Looking at one changes nothing, however
// often and by whom: a scanner of mails may open it. Only the person's own press of the button redeems.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import { wantsPage } from '../../http/pages.ts';
import { hashCost } from '../../http/fields.ts';
import { admission, sendLogin, sourceOf, type AuthRoom } from '../sign-in/guard.ts';
import { proofPages, type ProofKind } from './one-time-token.ts';
import { faultOf, newPasswordField, refusalOf } from '../../page/page-form.ts';
import {
  afterLogin,
  seeOther,
  rerenderOnProblem,
  paths,
  returnTo,
  type PageRoom,
} from '../../page/page-guard.ts';
import './problem.ts';

/** Characters of a field of a link: more than any has. */
const fieldCharacters = 2200;
const linkField = Type.String({ maxLength: fieldCharacters, pattern: '^[^\\u0000]*$' });
const LinkQuery = Type.Object({
  email: Type.Optional(linkField),
  token: Type.Optional(linkField),
  return_to: Type.Optional(linkField),
});
const LinkForm = Type.Object({
  email: Type.Optional(linkField),
  token: linkField,
  new_password: Type.Optional(linkField),
  return_to: Type.Optional(linkField),
  /** `code` where it was typed. */
  by: Type.Optional(linkField),
});
const Hint = Type.Object({ message: Type.String(), method: Type.String(), path: Type.String() });

interface Fields {
  readonly email: string;
  readonly token: string;
  readonly new_password?: string;
}

interface ProofPage {
  readonly kind: ProofKind;
  /** Its messages are `page.<name>.…` */
  readonly name: string;
  /** The route by which a program redeems. */
  readonly route: string;
  readonly hasPassword?: boolean;
  /** Redeems, and says where the person goes then; nowhere where the page itself tells that it is done. */
  readonly redeem: (
    room: AuthRoom,
    fields: Fields,
    request: FastifyRequest,
    reply: FastifyReply,
  ) => Promise<((next: string | undefined) => string) | undefined>;
}

const proofPageList: readonly ProofPage[] = [
  {
    kind: 'verification',
    name: 'confirm',
    route: '/email_verification',
    async redeem(room, { email, token }, request) {
      await room.auth.verifyEmail(email, token, sourceOf(request, room));
      return (next) => addressOf(paths.signIn, { done: 'confirmed', email, return_to: next });
    },
  },
  {
    kind: 'reset',
    name: 'reset',
    route: '/reset_password',
    hasPassword: true,
    async redeem(room, { email, token, new_password: password = '' }, request) {
      await room.auth.updatePassword(token, password, email, sourceOf(request, room));
      return (next) => addressOf(paths.signIn, { done: 'password', email, return_to: next });
    },
  },
  {
    kind: 'sign_in',
    name: 'sign_in_mail',
    route: '/sessions/email',
    async redeem(room, { email, token }, request, reply) {
      const login = await room.auth.signInByEmail(email, token, sourceOf(request, room));
      if (login === undefined) throw new Problem('token_invalid');
      sendLogin(reply, room, login);
      return (next) => afterLogin(login, next);
    },
  },
  {
    kind: 'email_change',
    name: 'email_change',
    route: '/profile/email',
    async redeem(room, { token }, request) {
      const session = await room.auth.getSession(room.cookie.read(request.headers.cookie));
      // In a session of the account alone. Whoever has none signs in, and comes back to the link.
      if (session === undefined)
        return () => addressOf(paths.signIn, { return_to: addressOf(proofPages.email_change, { token }) });
      request.session = session;
      await room.auth.changeEmail(session, token, sourceOf(request, room));
      return () => addressOf('/account/address', { done: 'changed' });
    },
  },
  {
    kind: 'email_undo',
    name: 'email_undo',
    route: '/profile/email/undo',
    async redeem(room, { token }, request) {
      await room.auth.undoEmailChange(token, sourceOf(request, room));
      return undefined;
    },
  },
  {
    kind: 'deletion_undo',
    name: 'deletion_undo',
    route: '/profile/undo',
    async redeem(room, { token }, request) {
      await room.auth.deletions.undo(token, sourceOf(request, room));
      return undefined;
    },
  },
  {
    kind: 'factor_undo',
    name: 'factor_undo',
    route: '/profile/factors/undo',
    async redeem(room, { token }, request) {
      await room.auth.enrollment.undo(token, sourceOf(request, room));
      return undefined;
    },
  },
];

/** The pages of the given kinds of proof. */
export const proofPageRoutes: FastifyPluginAsyncTypebox<PageRoom & { kinds: readonly ProofKind[] }> = async (
  scope,
  room,
) => {
  for (const page of proofPageList.filter(({ kind }) => room.kinds.includes(kind))) {
    const path = proofPages[page.kind];
    scope.get(
      path,
      {
        schema: {
          summary: 'Page that the link of a mail opens; changes nothing',
          querystring: LinkQuery,
          response: { 200: Hint },
        },
      },
      async (request, reply) => {
        const { email = '', token = '' } = request.query;
        const hint = { message: 'redeem the token with this request', method: 'PUT', path: page.route };
        return wantsPage(request) ? sendForm(room, request, reply, { page, email, token }) : hint;
      },
    );
    scope.post(
      path,
      {
        ...(page.hasPassword === true && admission(room)),
        config: costing(hashCost),
        schema: { summary: 'Redeems what the page holds', body: LinkForm },
      },
      async (request, reply) => {
        const { email = '', token, by } = request.body;
        return rerenderOnProblem(
          reply,
          async () => {
            const onward = await page.redeem(room, { ...request.body, email }, request, reply);
            if (onward !== undefined) return seeOther(reply, onward(returnTo(room, request)));
            const t = room.pages.speak(request);
            const body = notice('done', t(`page.${page.name}.done`));
            return room.pages.send(request, reply, { title: t(`page.${page.name}.title`), body });
          },
          (problem) =>
            by === 'code' && askPaths[page.kind] !== undefined
              ? codeForm(room, request, reply, { kind: page.kind, email, problem })
              : sendForm(room, request, reply, { page, email, token, problem }),
        );
      },
    );
  }
};

/** The form that a link opens. After a refusal that no other password mends it has no button: asking anew helps. */
function sendForm(
  room: PageRoom,
  request: FastifyRequest,
  reply: FastifyReply,
  { page, email, token, problem }: { page: ProofPage; email: string; token: string; problem?: Problem },
): FastifyReply {
  const t = room.pages.speak(request);
  const { kind, name, hasPassword = false } = page;
  const next = returnTo(room, request);
  const isOver =
    problem !== undefined && problem.fields.length === 0 && problem.retryAfterSeconds === undefined;
  const fields = hasPassword
    ? html`!${accountField(email)} !${newPasswordField(room, t, { name: 'new_password', problem })}`
    : hidden('email', email);
  const form = html`<p>${t(`page.${name}.what`, { email })}</p>
    <form method="post" action="${proofPages[kind]}">
      !${fields} !${hidden('token', token)} !${hidden('return_to', next)}
      <button>${t(`page.${name}.act`)}</button>
    </form>`;
  const body = html`!${refusalOf(t, problem, ['new_password'])}
  !${isOver ? askAgain(t, kind, email, next) : form}`;
  const title = t(`page.${name}.title`);
  return room.pages.send(request, reply, { title, body, hasSecretAddress: true });
}

/** Where another mail is asked for; the others come by themselves, and hold no code. */
const askPaths: Partial<Record<ProofKind, string>> = {
  verification: '/confirm/again',
  reset: paths.forgot,
  sign_in: paths.signIn,
  email_change: '/account/address',
};

function askAgain(
  t: ReturnType<PageRoom['pages']['speak']>,
  kind: ProofKind,
  email: string,
  next: string | undefined,
): string {
  const path = askPaths[kind];
  if (path === undefined) return '';
  const address = addressOf(path, { email: email === '' ? undefined : email, return_to: next });
  return html`<p class="links"><a href="${address}">${t('page.code.ask_again')}</a></p>`;
}

/** Tells that a mail is on its way, and takes the code of it. */
export function codeForm(
  room: PageRoom,
  request: FastifyRequest,
  reply: FastifyReply,
  { kind, email, problem }: { kind: ProofKind; email: string; problem?: Problem },
): FastifyReply {
  const t = room.pages.speak(request);
  const next = returnTo(room, request);
  const hasPassword = proofPageList.some((page) => page.kind === kind && page.hasPassword === true);
  const body = html`<p>${t(`page.code.${kind}`, { email })}</p>
    !${room.keepsMails ? html`<p class="notice"><a href="/dev/mailbox">${t('page.code.mailbox')}</a></p>` : ''}
    !${refusalOf(t, problem, ['new_password'])}
    <form method="post" action="${proofPages[kind]}">
      !${hasPassword ? accountField(email) : hidden('email', email)} !${hidden('return_to', next)}
      !${hidden('by', 'code')}
      !${field({
        name: 'token',
        label: t('page.field.code'),
        autocomplete: 'one-time-code',
        hint: t('page.code.hint'),
        fault: faultOf(t, problem, 'token'),
      })}
      !${hasPassword ? newPasswordField(room, t, { name: 'new_password', problem }) : ''}
      <button>${t(`page.code.${kind}_act`)}</button>
    </form>
    !${askAgain(t, kind, email, next)}`;
  return room.pages.send(request, reply, { title: t('page.code.title'), body });
}

/** The account whose password is set, as password managers look for it; nothing that a person has to see or fill in. */
function accountField(email: string): string {
  return html`<input type="text" name="email" value="${email}" autocomplete="username" readonly hidden />`;
}

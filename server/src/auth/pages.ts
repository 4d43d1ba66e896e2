// The pages that the links of mails open. Looking at one changes nothing, however often and by whom: a scanner of mails
// may open it. Only the person's own press of the button redeems.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { languageOf, message, usualLanguage, type MessageValues } from '../kit/language.ts';
import { Problem, problemSentences } from '../kit/problem.ts';
import { costing } from '../http/limits.ts';
import { sendPage, wantsPage } from '../http/page.ts';
import { problemStatus } from '../http/problem-handler.ts';
import { hashCost } from './fields.ts';
import { admission, requireSession, sendLogin, sourceOf, type AuthRoom } from './guard.ts';
import { proofPages, type ProofKind } from './one-time-token.ts';

/** Characters of a field of a link: more than any has. */
const fieldCharacters = 1200;
const field = Type.String({ maxLength: fieldCharacters, pattern: '^[^\\u0000]*$' });
const LinkQuery = Type.Object({ email: Type.Optional(field), token: Type.Optional(field) });
const LinkForm = Type.Object({ email: field, token: field, new_password: Type.Optional(field) });
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
  readonly redeem: (
    room: AuthRoom,
    fields: Fields,
    request: FastifyRequest,
    reply: FastifyReply,
  ) => Promise<unknown>;
}

const pages: readonly ProofPage[] = [
  {
    kind: 'verification',
    name: 'confirm',
    route: '/email_verification',
    redeem: (room, { email, token }, request) => room.auth.verifyEmail(email, token, sourceOf(request, room)),
  },
  {
    kind: 'reset',
    name: 'reset',
    route: '/reset_password',
    hasPassword: true,
    redeem: (room, { email, token, new_password: password = '' }, request) =>
      room.auth.updatePassword(token, password, email, sourceOf(request, room)),
  },
  {
    kind: 'sign_in',
    name: 'sign_in',
    route: '/sessions/email',
    async redeem(room, { email, token }, request, reply) {
      const login = await room.auth.signInByEmail(email, token, sourceOf(request, room));
      if (login === undefined) throw new Problem('token_invalid');
      sendLogin(reply, room, login);
    },
  },
  {
    kind: 'email_change',
    name: 'email_change',
    route: '/profile/email',
    async redeem(room, { token }, request) {
      const session = await requireSession(request, room.auth, room.cookie);
      await room.auth.changeEmail(session, token, sourceOf(request, room));
    },
  },
  {
    kind: 'email_undo',
    name: 'email_undo',
    route: '/profile/email/undo',
    redeem: (room, { token }, request) => room.auth.undoEmailChange(token, sourceOf(request, room)),
  },
];

/** The pages of the given kinds of proof. */
export const proofPageRoutes: FastifyPluginAsyncTypebox<AuthRoom & { kinds: readonly ProofKind[] }> = async (
  scope,
  room,
) => {
  for (const page of pages.filter(({ kind }) => room.kinds.includes(kind))) {
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
        return wantsPage(request) ? sendForm(request, reply, page, { email, token }) : hint;
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
        try {
          await page.redeem(room, request.body, request, reply);
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          return sendRefusal(request, reply, error);
        }
        const say = speaker(request);
        const body = html`<p>${say(`page.${page.name}.done`)}</p>`;
        return sendPage(reply, { title: say(`page.${page.name}.title`), language: say.language, body });
      },
    );
  }
};

interface Speaker {
  (key: string, values?: MessageValues): string;
  readonly language: string;
}

/** Speaks the language of a request. */
function speaker({ headers }: FastifyRequest): Speaker {
  const language = languageOf(headers['accept-language']) ?? usualLanguage;
  return Object.assign((key: string, values: MessageValues = {}) => message(language, key, values), {
    language,
  });
}

function sendForm(
  request: FastifyRequest,
  reply: FastifyReply,
  { kind, name, hasPassword = false }: ProofPage,
  { email, token }: Fields,
): FastifyReply {
  const say = speaker(request);
  const passwordField = hasPassword
    ? html`<label
        >${say(`page.${name}.field`)}
        <input type="password" name="new_password" autocomplete="new-password" required />
      </label>`
    : '';
  const body = html`<p>${say(`page.${name}.what`, { email })}</p>
    <form method="post" action="${proofPages[kind]}">
      !${hasPassword ? accountField(email) : html`<input type="hidden" name="email" value="${email}" />`}
      <input type="hidden" name="token" value="${token}" />
      !${passwordField}
      <button>${say(`page.${name}.act`)}</button>
    </form>`;
  return sendPage(reply, { title: say(`page.${name}.title`), language: say.language, body });
}

function sendRefusal(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const say = speaker(request);
  const { code, fields, retryAfterSeconds } = problem;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  const sentence =
    fields.length === 0 ? problemSentences[code] : fields.map(({ message: fault }) => fault).join('; ');
  const body = html`<p>${sentence}</p>`;
  return sendPage(reply.status(problemStatus[code]), {
    title: say('page.refused'),
    language: say.language,
    body,
  });
}

/** The account whose password is set, as password managers look for it; nothing that a person has to see or fill in. */
function accountField(email: string): string {
  return html`<input type="text" name="email" value="${email}" autocomplete="username" readonly hidden />`;
}

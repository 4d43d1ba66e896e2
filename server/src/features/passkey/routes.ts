// Signing in, registering, and proving once more with passkeys; making, listing, naming and removing them. What browsers
// are given and give back keeps the names of WebAuthn (Level 3 §5.1.8, §5.1.9).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
import { subjectIdOf, subjectUserIdOf } from '../../identity/enrollment/enrollment.ts';
import {
  email,
  EmailMessage,
  factorLabel,
  handle,
  hashCost,
  LoginReply,
  mailCost,
  Message,
  proof,
} from '../../http/fields.ts';
import {
  initiatingSourceOf,
  enrollmentSubjectOf,
  loginBody,
  pendingAuthenticationOf,
  rememberBrowser,
  sendLogin,
  sessionOf,
  sourceOf,
  type AuthRoom,
} from '../../identity/sign-in/guard.ts';
import { enrollmentOf, registrationOf } from './challenge.ts';
import { registerWithPasskey, signInWithPasskey } from './entrance.ts';
import type { Passkeys } from './passkey.ts';
import type { PasskeyRow } from './store.ts';

export interface PasskeyRoom extends AuthRoom {
  readonly passkeys: Passkeys;
}

/** Options for the browser: their members are those of WebAuthn. */
const PublicKey = Type.Object({ public_key: Type.Object({}, { additionalProperties: true }) });
const credential = { ...proof, description: 'The JSON text of the credential that the browser gave' };

const Instant = Type.String({ format: 'date-time' });
const Signal = Type.Object(
  {
    rpId: Type.String(),
    userId: Type.String(),
    allAcceptedCredentialIds: Type.Array(Type.String()),
  },
  { description: 'For PublicKeyCredential.signalAllAcceptedCredentials()' },
);
const PasskeyList = Type.Object({
  passkeys: Type.Array(
    Type.Object({
      id: Type.String(),
      credential_id: Type.String(),
      name: Type.String(),
      use: Type.String({ description: 'sign_in, or second_factor alone' }),
      storage: Type.String({ description: 'device, syncable or synced' }),
      created_at: Instant,
      last_used_at: Type.Optional(Instant),
    }),
  ),
  signal: Type.Optional(Signal),
});
const idParams = Type.Object({ id: handle });

/** Signing in, and registering without a password. */
export const passkeyOpenRoutes: FastifyPluginAsyncTypebox<PasskeyRoom> = async (scope, room) => {
  const { passkeys, rules } = room;
  scope.post(
    '/sessions/passkey',
    {
      schema: {
        summary: 'What a browser needs to sign in with a passkey',
        response: { 200: PublicKey },
      },
    },
    async () => ({ public_key: await passkeys.signInOptions() }),
  );

  scope.put(
    '/sessions/passkey',
    {
      config: costing(hashCost),
      schema: {
        summary: 'Logs in with a passkey',
        body: Type.Object({ credential }),
        response: { 200: LoginReply },
      },
    },
    async (request, reply) => {
      const { credential: answer } = request.body;
      const { user, login } = await signInWithPasskey(room, answer, sourceOf(request, room));
      sendLogin(reply, room, login);
      return loginBody(user.email, login);
    },
  );

  scope.post(
    '/users/passkey',
    {
      schema: {
        summary: 'What a browser needs to register with a passkey in the place of a password',
        body: Type.Object({ email }),
        response: { 200: PublicKey },
      },
    },
    async (request) => {
      const { text, key } = requireEmailAddress(request.body.email);
      return {
        public_key: await passkeys.createOptions({ email: text, use: registrationOf(key) }, 'passkey'),
      };
    },
  );

  scope.put(
    '/users/passkey',
    {
      config: costing(mailCost),
      schema: {
        summary: 'Registers a user with a passkey',
        body: Type.Object({ email, credential, name: Type.Optional(factorLabel) }),
        response: { 200: EmailMessage, 400: Message },
      },
    },
    async (request, reply) => {
      const { email: typed, credential: made, name } = request.body;
      const address = requireEmailAddress(typed);
      const initiator = rules.emailConfirmation ? initiatingSourceOf(request, room) : undefined;
      const source = initiator ?? sourceOf(request, room);
      try {
        await registerWithPasskey(room, { address, credential: made, name }, source);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        if (rules.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
      }
      if (initiator !== undefined) rememberBrowser(reply, room, initiator);
      return { email: address.text, message: 'user created' };
    },
  );
};

/** Behind the half-way door: what a browser needs for the second factor. */
export const passkeyHalfWayRoutes: FastifyPluginAsyncTypebox<PasskeyRoom> = async (scope, { passkeys }) => {
  scope.post(
    '/sessions/factor/passkey',
    {
      schema: {
        summary: 'What a browser needs to give a passkey as second factor',
        response: { 200: PublicKey },
      },
    },
    async (request) => {
      const { id, userId } = pendingAuthenticationOf(request);
      return {
        public_key: await passkeys.requestOptions(userId, { purpose: 'second_factor', subjectId: id }),
      };
    },
  );
};

/** Behind the member door: what a browser needs to prove once more that it is you. */
export const passkeyMemberRoutes: FastifyPluginAsyncTypebox<PasskeyRoom> = async (scope, { passkeys }) => {
  scope.post(
    '/sessions/step_up/passkey',
    {
      schema: {
        summary: 'What a browser needs to step up with a passkey',
        response: { 200: PublicKey },
      },
    },
    async (request) => {
      const { id, userId } = sessionOf(request);
      return { public_key: await passkeys.requestOptions(userId, { purpose: 'step_up', subjectId: id }) };
    },
  );
};

/** Behind the door of who may change factors. */
export const passkeyRoutes: FastifyPluginAsyncTypebox<PasskeyRoom> = async (scope, room) => {
  const { auth, passkeys } = room;
  scope.get(
    '/profile/passkeys',
    { schema: { summary: 'Lists your passkeys', response: { 200: PasskeyList } } },
    async (request) => {
      const rows = await passkeys.list(subjectUserIdOf(enrollmentSubjectOf(request)));
      const userHandle = rows[0]?.user_handle;
      return {
        passkeys: rows.map(describe),
        ...(userHandle !== undefined && { signal: passkeys.signalOf(userHandle, rows) }),
      };
    },
  );

  scope.post(
    '/profile/passkeys',
    {
      schema: {
        summary: 'What a browser needs to make another passkey',
        body: Type.Object({
          use: Type.Optional(
            Type.Enum(['sign_in', 'second_factor'], {
              description: 'second_factor: a security key, which need not verify its user',
            }),
          ),
        }),
        response: { 200: PublicKey },
      },
    },
    async (request) => {
      const subject = enrollmentSubjectOf(request);
      const { id: userId, email: address } = await auth.enrollment.requireSubject(subject);
      const kind = request.body.use === 'second_factor' ? 'security_key' : 'passkey';
      const enrollment = { email: address, userId, use: enrollmentOf(subjectIdOf(subject)) };
      return { public_key: await passkeys.createOptions(enrollment, kind) };
    },
  );

  scope.put(
    '/profile/passkeys',
    {
      config: costing(hashCost),
      schema: {
        summary: 'Adds the passkey that the browser made',
        body: Type.Object({ credential, name: Type.Optional(factorLabel) }),
        response: { 200: Type.Object({ id: Type.String(), message: Type.String() }) },
      },
    },
    async (request, reply) => {
      const subject = enrollmentSubjectOf(request);
      const source = sourceOf(request, room);
      const verified = await passkeys.verifyCreation(
        request.body.credential,
        enrollmentOf(subjectIdOf(subject)),
      );
      const naming = { name: request.body.name, device: nameDevice(source.device) };
      const { result: id, login } = await auth.enrollment.add(
        subject,
        passkeys.addition(verified, naming),
        source,
      );
      sendLogin(reply, room, login);
      if (subject.pending !== undefined) void reply.header('set-cookie', room.pendingCookie.clear());
      return { id, message: 'passkey added' };
    },
  );

  scope.put(
    '/profile/passkeys/:id',
    {
      schema: {
        summary: 'Gives a passkey another name',
        params: idParams,
        body: Type.Object({ name: factorLabel }),
        response: { 200: Message },
      },
    },
    async (request) => {
      const userId = subjectUserIdOf(enrollmentSubjectOf(request));
      if (!(await passkeys.rename(userId, request.params.id, request.body.name)))
        throw new Problem('not_found');
      return { message: 'passkey renamed' };
    },
  );

  scope.delete(
    '/profile/passkeys/:id',
    {
      schema: {
        summary: 'Removes a passkey',
        params: idParams,
        response: { 200: Type.Object({ message: Type.String(), signal: Signal }) },
      },
    },
    async (request) => {
      const subject = enrollmentSubjectOf(request);
      const removed = await auth.enrollment.change(
        subject,
        passkeys.removal(request.params.id),
        sourceOf(request, room),
      );
      const left = await passkeys.list(removed.user_id);
      return { message: 'passkey removed', signal: passkeys.signalOf(removed.user_handle, left) };
    },
  );
};

/** Where passkeys may be used beside our own origin (WebAuthn Level 3 §5.11). */
export const relatedOriginRoutes: FastifyPluginAsyncTypebox<PasskeyRoom> = async (scope, { passkeys }) => {
  scope.get(
    '/.well-known/webauthn',
    {
      schema: {
        summary: 'Names the origins at which passkeys of this service may be used',
        response: { 200: Type.Object({ origins: Type.Array(Type.String()) }) },
      },
    },
    async () => ({ origins: [...passkeys.relyingParty.origins] }),
  );
};

function describe(row: PasskeyRow): Static<typeof PasskeyList>['passkeys'][number] {
  const { id, credential_id, name, kind, storage, created_at, last_used_at } = row;
  return {
    id,
    credential_id,
    name,
    use: kind === 'passkey' ? 'sign_in' : 'second_factor',
    storage,
    created_at: new Date(created_at).toISOString(),
    ...(last_used_at !== null && { last_used_at: new Date(last_used_at).toISOString() }),
  };
}

// Signing in, registering, and proving once more with passkeys; making, listing, naming and removing them. What browsers
// are given and give back keeps the names of WebAuthn (Level 3 §5.1.8, §5.1.9).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { Problem } from '../../kit/problem.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
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
import { enrollmentOf, registrationOf } from './challenge.ts';
import type { Passkeys } from './passkey.ts';
import type { PasskeyRow } from './store.ts';
import { initiatingSourceOf, type BrowserCookies } from '../../identity/guard.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import {
  pendingAuthenticationOf,
  enrollmentSubjectOf,
  sendLogin,
  loginBody,
} from '../../identity/sign-in/guard.ts';
import { costing } from '../../http/limits.ts';
import { subjectIdOf, subjectUserIdOf } from '../../identity/sign-in/subject.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';
import type { RegistrationPolicy } from '../../identity/account/registration.ts';
import type { PasskeyEntrance } from './entrance.ts';

/** Options for the browser: their members are those of WebAuthn. */
const PublicKey = Type.Object({ public_key: Type.Object({}, { additionalProperties: true }) });
const credential = { ...proof, description: 'JSON text of the credential from the browser' };

const Instant = Type.String({ format: 'date-time' });
const Signal = Type.Object(
  {
    rpId: Type.String(),
    userId: Type.String(),
    allAcceptedCredentialIds: Type.Array(Type.String()),
  },
  { description: 'Argument of `PublicKeyCredential.signalAllAcceptedCredentials()`' },
);
const PasskeyList = Type.Object({
  passkeys: Type.Array(
    Type.Object({
      id: Type.String(),
      credential_id: Type.String(),
      name: Type.String(),
      use: Type.String({ description: '`sign_in`, or `second_factor` only' }),
      storage: Type.String({ description: '`device`, `syncable` or `synced`' }),
      created_at: Instant,
      last_used_at: Type.Optional(Instant),
    }),
  ),
  signal: Type.Optional(Signal),
});
const idParams = Type.Object({ id: handle });

/** Signing in, and registering without a password. */
export function passkeyOpenRoutes({
  cookies,
  entrance,
  passkeys,
  policy,
}: {
  readonly cookies: BrowserCookies;
  readonly entrance: PasskeyEntrance;
  readonly passkeys: Passkeys;
  readonly policy: RegistrationPolicy;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/passkey',
      {
        schema: {
          summary: 'Returns the options to sign in with a passkey',
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
        const { user, login } = await entrance.signIn(answer, request.source);
        sendLogin(reply, cookies, login);
        return loginBody(user.email, login);
      },
    );

    scope.post(
      '/users/passkey',
      {
        schema: {
          summary: 'Returns the options to register with a passkey instead of a password',
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
        const initiator = policy.emailConfirmation ? initiatingSourceOf(request) : undefined;
        const source = initiator ?? request.source;
        try {
          await entrance.register({ address, credential: made, name }, source);
        } catch (error) {
          if (!(error instanceof ValueError)) throw error;
          if (policy.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
        }
        if (initiator !== undefined) cookies.setRequest(reply, initiator);
        return { email: address.text, message: 'user created' };
      },
    );
  };
}

/** Behind the half-way door: what a browser needs for the second factor. */
export function passkeyHalfWayRoutes({
  passkeys,
}: {
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/factor/passkey',
      {
        schema: {
          summary: 'Returns the options to use a passkey as second factor',
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
}

/** Behind the member door: what a browser needs to prove once more that it is you. */
export function passkeyMemberRoutes({
  passkeys,
}: {
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/step_up/passkey',
      {
        schema: {
          summary: 'Returns the options for a step-up with a passkey',
          response: { 200: PublicKey },
        },
      },
      async (request) => {
        const { id, userId } = sessionOf(request);
        return { public_key: await passkeys.requestOptions(userId, { purpose: 'step_up', subjectId: id }) };
      },
    );
  };
}

/** Behind the door of who may change factors. */
export function passkeyRoutes({
  cookies,
  enrollment,
  passkeys,
}: {
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile/passkeys',
      { schema: { summary: "Lists the user's passkeys", response: { 200: PasskeyList } } },
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
          summary: 'Returns the options to create a passkey',
          body: Type.Object({
            use: Type.Optional(
              Type.Enum(['sign_in', 'second_factor'], {
                description: '`second_factor`: a security key without user verification',
              }),
            ),
          }),
          response: { 200: PublicKey },
        },
      },
      async (request) => {
        const subject = enrollmentSubjectOf(request);
        const { id: userId, email: address } = await enrollment.requireSubject(subject);
        const kind = request.body.use === 'second_factor' ? 'security_key' : 'passkey';
        const credentialOf = { email: address, userId, use: enrollmentOf(subjectIdOf(subject)) };
        return { public_key: await passkeys.createOptions(credentialOf, kind) };
      },
    );

    scope.put(
      '/profile/passkeys',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Adds the passkey that the browser created',
          body: Type.Object({ credential, name: Type.Optional(factorLabel) }),
          response: { 200: Type.Object({ id: Type.String(), message: Type.String() }) },
        },
      },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const source = request.source;
        const verified = await passkeys.verifyCreation(
          request.body.credential,
          enrollmentOf(subjectIdOf(subject)),
        );
        const naming = { name: request.body.name, device: nameDevice(source.device) };
        const { result: id, login } = await enrollment.add(
          subject,
          passkeys.addition(verified, naming),
          source,
        );
        sendLogin(reply, cookies, login);
        if (subject.pending !== undefined) cookies.clearPending(reply);
        return { id, message: 'passkey added' };
      },
    );

    scope.put(
      '/profile/passkeys/:id',
      {
        schema: {
          summary: 'Renames a passkey',
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
        const removed = await enrollment.change(subject, passkeys.removal(request.params.id), request.source);
        const left = await passkeys.list(removed.user_id);
        return { message: 'passkey removed', signal: passkeys.signalOf(removed.user_handle, left) };
      },
    );
  };
}

/** Where passkeys may be used beside our own origin (WebAuthn Level 3 §5.11). */
export function relatedOriginRoutes({
  passkeys,
}: {
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/.well-known/webauthn',
      {
        schema: {
          summary: 'Lists the origins that may use passkeys of this service (related origins)',
          response: { 200: Type.Object({ origins: Type.Array(Type.String()) }) },
        },
      },
      async () => ({ origins: [...passkeys.relyingParty.origins] }),
    );
  };
}

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

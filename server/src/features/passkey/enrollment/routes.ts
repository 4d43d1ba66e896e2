// Lists, adds, renames and removes the passkeys of the signed-in user.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { nameDevice } from '../../../kit/device.ts';
import { Problem } from '../../../kit/problem.ts';
import { factorLabel, handle, Message } from '../../../http/fields.ts';
import { costing, hashCost } from '../../../http/limit/limits.ts';
import type { BrowserCookies } from '../../../identity/browser-cookies.ts';
import { enrollmentSubjectOf, sendLogin } from '../../../identity/sign-in/guard.ts';
import { subjectIdOf, subjectUserIdOf } from '../../../identity/sign-in/subject.ts';
import type { Enrollment } from '../../../identity/enrollment/enrollment.ts';
import { enrollmentOf } from '../challenge.ts';
import { credential, PublicKey } from '../fields.ts';
import type { Passkeys } from '../passkey.ts';
import type { PasskeyRow } from '../store.ts';

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
const automatic = Type.Union([Type.Boolean(), Type.Literal('true')], {
  description:
    '`true`: without a prompt (`mediation: "conditional"`), which proves neither presence nor verification of the user',
});
const idParams = Type.Object({ id: handle });

/** Routes that list, rename and remove passkeys. */
export function passkeyListRoutes({
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
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const removal = passkeys.removal(request.params.id);
        const { result: removed, renewed } = await enrollment.change(subject, removal, request.source);
        cookies.renewSession(request, reply, renewed);
        const left = await passkeys.list(removed.user_id);
        return { message: 'passkey removed', signal: passkeys.signalOf(removed.user_handle, left) };
      },
    );
  };
}

/** Routes that add a passkey. */
export function passkeyAdditionRoutes({
  cookies,
  enrollment,
  passkeys,
}: {
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
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
            automatic: Type.Optional(automatic),
          }),
          response: { 200: PublicKey },
        },
      },
      async (request) => {
        const subject = enrollmentSubjectOf(request);
        const { id: userId, email: address } = await enrollment.requireSubject(subject);
        const { use, automatic: isAutomatic = false } = request.body;
        const passkey = String(isAutomatic) === 'true' ? 'automatic' : 'passkey';
        const kind = use === 'second_factor' ? 'security_key' : passkey;
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
          body: Type.Object({
            credential,
            name: Type.Optional(factorLabel),
            automatic: Type.Optional(automatic),
          }),
          response: { 200: Type.Object({ id: Type.String(), message: Type.String() }) },
        },
      },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const source = request.source;
        const verified = await passkeys.verifyCreation(
          request.body.credential,
          enrollmentOf(subjectIdOf(subject)),
          String(request.body.automatic) === 'true',
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

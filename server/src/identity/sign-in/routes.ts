// The second half of a login, proving once more that it is you, and the list of one's sessions.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { formatInstant as instant } from '../../kit/clock.ts';
import { nameDevice } from '../../kit/device.ts';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { methodsOf, parseFactors } from '../factor/factor.ts';
import { EmailMessage, handle, hashCost, Message, proof } from '../../http/fields.ts';
import {
  loginBody,
  pendingAuthenticationOf,
  sendLogin,
  sessionOf,
  sourceOf,
  type AuthRoom,
} from './guard.ts';
import type { RememberedDevice } from './device-store.ts';
import type { SessionSummary } from '../session/store.ts';

/** Sessions that one reply lists: more than a user may hold. */
const maxListed = 1000;

const factorName = Type.String({
  minLength: 1,
  maxLength: 32,
  pattern: '^[a-z_]+$',
  description: 'Name of a factor',
});
const GivenFactor = Type.Object({ factor: factorName, proof });
const CompletingFactor = Type.Object({
  factor: factorName,
  proof,
  remember_device: Type.Optional(
    Type.Union([Type.Boolean(), Type.Literal('true')], {
      description: 'Asks for no second factor on this device for a while, where the service allows it',
    }),
  ),
});

const Instant = Type.String({ format: 'date-time' });
/** A session, as its owner sees it. */
export const SessionEntry = Type.Object({
  id: Type.String({ description: 'Handle of the session; no secret' }),
  device: Type.Optional(Type.String({ description: 'Browser and system, as far as they are known' })),
  created_at: Instant,
  last_seen_at: Instant,
  expires_at: Instant,
  amr: Type.Array(Type.String(), { description: 'Authentication methods (RFC 8176)' }),
  factors: Type.Array(Type.Object({ factor: Type.String(), auth_time: Instant })),
  current: Type.Boolean(),
});
const SessionList = Type.Object({ sessions: Type.Array(SessionEntry) });

const DeviceList = Type.Object({
  devices: Type.Array(
    Type.Object({
      id: Type.String(),
      device: Type.Optional(Type.String({ description: 'Browser and system, as far as they are known' })),
      created_at: Instant,
      remembered_until: Instant,
    }),
  ),
});

/** Behind the half-way door: the second factor of a login. */
export const secondFactorRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.post(
    '/sessions/factor',
    {
      config: costing(hashCost),
      schema: {
        summary: 'Completes a login with the second factor',
        body: CompletingFactor,
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const { factor, proof: given, remember_device: wish = false } = request.body;
      const { user, login } = await room.auth.signIn.complete(
        pendingAuthenticationOf(request),
        { factor, proof: given, remembersDevice: wish !== false },
        sourceOf(request, room),
      );
      sendLogin(reply, room, login);
      void reply.header('set-cookie', room.pendingCookie.clear());
      return loginBody(user.email, login);
    },
  );
};

/** Behind the member door. */
export const sessionRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth } = room;
  scope.post(
    '/sessions/step_up',
    {
      config: costing(hashCost),
      schema: {
        summary: 'Proves once more that it is you: opens for ten minutes what asks for a recent factor',
        body: GivenFactor,
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const session = sessionOf(request);
      const token = await auth.stepUp.give(session, request.body, sourceOf(request, room));
      sendLogin(reply, room, { token, deviceToken: undefined });
      return { email: session.email, message: 'stepped up' };
    },
  );

  scope.get(
    '/sessions',
    { schema: { summary: 'Lists your sessions, newest first', response: { 200: SessionList } } },
    async (request) => {
      const current = sessionOf(request);
      const sessions = await auth.listSessions(current.userId, maxListed);
      return { sessions: sessions.map((session) => describeSession(session, current.id)) };
    },
  );

  scope.delete(
    '/sessions/:id',
    {
      schema: {
        summary: 'Ends one of your sessions',
        params: Type.Object({ id: handle }),
        response: { 200: Message },
      },
    },
    async (request) => {
      const isEnded = await auth.endOwnSession(
        sessionOf(request),
        request.params.id,
        sourceOf(request, room),
      );
      if (!isEnded) throw new Problem('not_found');
      return { message: 'session ended' };
    },
  );
};

/** Behind the member door, where devices are remembered. */
export const rememberedDeviceRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth } = room;
  scope.get(
    '/profile/devices',
    {
      schema: {
        summary: 'Lists the devices on which no second factor is asked for',
        response: { 200: DeviceList },
      },
    },
    async (request) => {
      const rows = await auth.listRememberedDevices(sessionOf(request).userId);
      return { devices: rows.map(describeDevice) };
    },
  );

  scope.delete(
    '/profile/devices/:id',
    {
      schema: {
        summary: 'Has a second factor asked for on a device again',
        params: Type.Object({ id: handle }),
        response: { 200: Message },
      },
    },
    async (request) => {
      const { id } = request.params;
      if (!(await auth.forgetDevice(sessionOf(request), id, sourceOf(request, room))))
        throw new Problem('not_found');
      return { message: 'device forgotten' };
    },
  );
};

function describeDevice(row: RememberedDevice): Static<typeof DeviceList>['devices'][number] {
  const name = nameDevice(row.user_agent ?? undefined);
  return {
    id: row.id,
    ...(name !== undefined && { device: name }),
    created_at: instant(row.created_at),
    remembered_until: instant(row.remembered_until ?? 0),
  };
}

/** A session in the words of the wire. */
export function describeSession(
  { id, device, created_at, last_seen_at, expires_at, factors }: SessionSummary,
  currentId: string,
): Static<typeof SessionEntry> {
  const uses = parseFactors(factors);
  const name = nameDevice(device ?? undefined);
  return {
    id,
    ...(name !== undefined && { device: name }),
    created_at: instant(created_at),
    last_seen_at: instant(last_seen_at),
    expires_at: instant(expires_at),
    amr: methodsOf(uses),
    factors: uses.map(({ factor, at }) => ({ factor, auth_time: instant(at) })),
    current: id === currentId,
  };
}

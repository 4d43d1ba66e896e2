// Exports everything that is stored about the signed-in user as one JSON file.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import Type, { type TObject } from 'typebox';
import { formatInstant as instant } from '../../kit/clock.ts';
import { guardedRead } from '../../http/origin/cross-site.ts';
import { paths } from '../../page/paths.ts';
import { openedFrom } from '../../page/recovery.ts';
import type { AuditEvent } from '../../audit/event.ts';
import type { MailRecord } from '../../mail/store.ts';
import type { DataExport } from './data-export.ts';
import { SessionEntry } from '../../identity/session/routes.ts';
import type { PersonalData } from '../../identity/contribution.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { DataExports } from './data-export.ts';

const Instant = Type.String({ format: 'date-time' });
const OptionalText = Type.Optional(Type.String());
const OptionalInstant = Type.Optional(Instant);

const AnyObject = Type.Object({}, { additionalProperties: true });

/** For the description only: the document is streamed. */
const ExportDocument = Type.Object({
  exported_at: Instant,
  account: Type.Object({
    id: Type.Integer(),
    email: Type.String(),
    created_at: Instant,
    email_verified_at: OptionalInstant,
    last_sign_in_at: OptionalInstant,
    password_changed_at: Type.Optional(
      Type.String({ format: 'date-time', description: 'Whether the account has a password' }),
    ),
    language: OptionalText,
    subject: OptionalText,
    external_id: OptionalText,
    name: OptionalText,
    picture: OptionalText,
  }),
  metadata: Type.Object(
    { public: AnyObject, private: AnyObject },
    { description: 'What applications and the operator store about the user' },
  ),
  sessions: Type.Array(SessionEntry),
  devices: Type.Array(
    Type.Object({
      id: Type.String(),
      device: OptionalText,
      created_at: Instant,
      expires_at: Instant,
      remembered_until: OptionalInstant,
    }),
  ),
  second_factors: Type.Record(Type.String(), Type.Object({}, { additionalProperties: true }), {
    description: 'Second factors of the user, by kind',
  }),
  tokens: Type.Array(
    Type.Object({ kind: Type.String(), email: OptionalText, created_at: Instant, expires_at: Instant }),
    { description: 'Tokens that were mailed and not used yet' },
  ),
  registrations: Type.Array(
    Type.Object({ email: Type.String(), factor: Type.String(), created_at: Instant, expires_at: Instant }),
    { description: 'Registrations of the address that were not confirmed' },
  ),
  attempts: Type.Array(
    Type.Object({
      factor: Type.String(),
      device_id: OptionalText,
      failures: Type.Integer({ description: 'Consecutive failed attempts' }),
      last_at: Instant,
    }),
  ),
  mails: Type.Array(
    Type.Object({
      kind: Type.String(),
      recipient: Type.String(),
      created_at: Instant,
      expires_at: Instant,
      sent_at: OptionalInstant,
      given_up_at: OptionalInstant,
    }),
  ),
  events: Type.Array(
    Type.Object({
      id: Type.String(),
      at: Instant,
      event: Type.String(),
      outcome: Type.String(),
      reason: OptionalText,
      facts: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      actor: Type.String(),
      actor_id: OptionalText,
      target: Type.Optional(Type.Object({ kind: Type.String(), id: Type.String() })),
      address: OptionalText,
      user_agent: OptionalText,
      request_id: OptionalText,
    }),
    { description: 'Audit log of the account' },
  ),
});

/** Returns the description with the members of other modules. */
function documentWith(exports: readonly PersonalData[]): TObject {
  const members = exports.flatMap(({ name, schema }) =>
    schema === undefined ? [] : [[name, schema] as const],
  );
  return Type.Object({ ...ExportDocument.properties, ...Object.fromEntries(members) });
}

/** The route that exports the user's data. */
export function dataRoutes({
  dataExports,
  plugged,
}: {
  readonly dataExports: DataExports;
  /** Complete when the routes are added. */
  readonly plugged: { readonly exports: readonly PersonalData[] };
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile/export',
      {
        config: { ...guardedRead, ...openedFrom(paths.data) },
        schema: {
          summary: 'Returns all data about the user except secrets; requires recent authentication',
          response: { 200: documentWith(plugged.exports) },
        },
      },
      async (request, reply) => {
        const session = sessionOf(request);
        return sendExport(reply, await dataExports.create(session, request.source));
      },
    );
  };
}

/** Sends a file, reading the database no faster than the client receives. */
function sendExport(reply: FastifyReply, data: DataExport): FastifyReply {
  const day = instant(data.exportedAt).slice(0, 10);
  return reply
    .type('application/json; charset=utf-8')
    .header('content-disposition', `attachment; filename="account-${day}.json"`)
    .send(Readable.from(textOf(data)));
}

async function* textOf(data: DataExport): AsyncGenerator<string> {
  yield JSON.stringify(describeFacts(data)).slice(0, -1);
  yield* listOf('mails', data.mails, describeMail);
  yield* listOf('events', data.events, describeEvent);
  yield '}';
}

/** Writes a member, not the first one, of an object that is streamed. */
async function* listOf<Row>(
  name: string,
  pages: AsyncIterable<readonly Row[]>,
  describe: (row: Row) => object,
): AsyncGenerator<string> {
  yield `,"${name}":[`;
  let separator = '';
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield separator + page.map((row) => JSON.stringify(describe(row))).join(',');
    separator = ',';
  }
  yield ']';
}

function describeFacts({ exportedAt, user, members }: DataExport): object {
  return {
    exported_at: instant(exportedAt),
    account: {
      id: user.id,
      email: user.email,
      created_at: instant(user.createdAt),
      email_verified_at: optional(user.emailVerifiedAt),
      last_sign_in_at: optional(user.lastSignInAt),
      password_changed_at: user.hashedPassword === null ? undefined : instant(user.passwordChangedAt),
      language: user.language ?? undefined,
      subject: user.subject ?? undefined,
      external_id: user.externalId ?? undefined,
      name: user.name ?? undefined,
      picture: user.picture ?? undefined,
    },
    ...members,
  };
}

function describeMail({ kind, recipient, ...row }: MailRecord): object {
  return {
    kind,
    recipient,
    created_at: instant(row.created_at),
    expires_at: instant(row.expires_at),
    sent_at: optional(row.sent_at),
    given_up_at: optional(row.given_up_at),
  };
}

/** An id of another actor is left out: it would reveal who tried to sign in to the account. */
function describeEvent({ id, at, event, outcome, reason, actor, ...row }: AuditEvent): object {
  return {
    id,
    at: instant(at),
    event,
    outcome,
    reason: reason ?? undefined,
    facts: row.facts ?? undefined,
    actor,
    actor_id: row.actorId === String(row.userId) ? row.actorId : undefined,
    target: row.target ?? undefined,
    address: row.address ?? undefined,
    user_agent: row.device ?? undefined,
    request_id: row.requestId ?? undefined,
  };
}

/** Leaves the member out of the JSON if there is no value. */
function optional(at: number | null): string | undefined {
  return at === null ? undefined : instant(at);
}

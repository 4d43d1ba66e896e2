// One's own account: what is known of it, the address, the password, the sessions, what happened.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../kit/device.ts';
import type { Problem } from '../kit/problem.ts';
import type { AuditEvent } from '../audit/event.ts';
import { costing } from '../http/limits.ts';
import { addressOf, field, notice } from '../http/markup.ts';
import type { Say } from '../http/pages.ts';
import { parseFactors } from './factor.ts';
import { hashCost, mailCost } from './fields.ts';
import { admission, askingSourceOf, rememberAsker, sessionOf, sourceOf } from './guard.ts';
import { faultOf, newPasswordField, refusalOf } from './page-form.ts';
import {
  formField,
  formToken,
  goOn,
  orAgain,
  PageQuery,
  paths,
  requireForm,
  type AccountSection,
  type PageRoom,
} from './page-guard.ts';
import { codeForm } from './pages.ts';
import type { SessionSummary } from './session-store.ts';

export interface AccountPageRoom extends PageRoom {
  /** What happened to an account, newest first. */
  readonly activityOf: (userId: number, limit: number) => Promise<AuditEvent[]>;
}

const AddressForm = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  form_token: Type.Optional(formField),
});
const PasswordForm = Type.Object({
  password: formField,
  new_password: formField,
  form_token: Type.Optional(formField),
});
const EndForm = Type.Object({
  id: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

const CloseForm = Type.Object({
  sure: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** Sessions and events that one page shows. */
const mostListed = 50;

/** The pages of this room; features add theirs. */
export const ownSections = {
  address: { path: '/account/address', name: 'address' },
  password: { path: '/account/password', name: 'password' },
  sessions: { path: '/account/sessions', name: 'sessions' },
  activity: { path: '/account/activity', name: 'activity' },
  data: { path: '/account/data', name: 'data' },
} as const satisfies Record<string, AccountSection>;

/** What stands above and below the parts of an account page. */
export function accountBody(say: Say, parts: string): string {
  return html`!${parts}
    <p class="links"><a href="${paths.account}">${say('page.account.back')}</a></p>`;
}

/** Where password managers lead a person who is to change a password (W3C, A well-known URL for changing passwords). */
export const changePasswordPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope) => {
  scope.get(
    '/.well-known/change-password',
    { schema: { summary: 'Page: where a password is changed' } },
    async (_request, reply) => goOn(reply, ownSections.password.path),
  );
};

/** Behind the member door for pages. */
export const accountPages: FastifyPluginAsyncTypebox<AccountPageRoom> = async (scope, room) => {
  const { pages, sections } = room;
  scope.get(
    paths.account,
    { schema: { summary: 'Page: your account', querystring: PageQuery } },
    async (request, reply) => {
      const say = pages.speak(request);
      const session = sessionOf(request);
      const items = sections.map(
        ({ path, name }) =>
          html`<li>
            <a href="${path}"
              ><strong>${say(`page.${name}.title`)}</strong> <span>${say(`page.${name}.about`)}</span></a
            >
          </li>`,
      );
      const body = html`<p>${say('page.account.what', { email: session.email })}</p>
        <nav aria-label="${say('page.account.title')}">
          <ul class="sections">
            !${items}
          </ul>
        </nav>
        <form method="post" action="/sign-out">
          !${formToken(room, session.id)}
          <button class="second">${say('page.sign_out.act')}</button>
        </form>`;
      return pages.send(request, reply, { title: say('page.account.title'), body });
    },
  );
  await scope.register(addressPages, room);
  await scope.register(passwordPages, room);
  await scope.register(sessionPages, room);
  await scope.register(activityPages, room);
  await scope.register(dataPages, room);
};

const addressPages: FastifyPluginAsyncTypebox<AccountPageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  const { path } = ownSections.address;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    typed?: { email: string; problem: Problem },
  ): Promise<FastifyReply> => {
    const say = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword } = await auth.userOf(session);
    // Before the form is filled in: the last proof may be too old.
    if (hashedPassword === null) await auth.stepUps.requireRecent(session);
    else await auth.stepUps.requireRecentSecond(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${notice('done', done === 'changed' ? say('page.email_change.done') : undefined)}
      <p>${say('page.address.what', { email: session.email })}</p>
      !${refusalOf(say, typed?.problem, ['email', 'password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
        !${field({
          name: 'email',
          label: say('page.field.new_email'),
          type: 'email',
          value: typed?.email ?? '',
          autocomplete: 'email',
          fault: faultOf(say, typed?.problem, 'email'),
        })}
        !${
          hashedPassword === null
            ? ''
            : field({
                name: 'password',
                label: say('page.field.current_password'),
                type: 'password',
                autocomplete: 'current-password',
              })
        }
        <button>${say('page.address.act')}</button>
      </form>`;
    return pages.send(request, reply, { title: say('page.address.title'), body: accountBody(say, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your address', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    path,
    {
      ...admission(room),
      config: costing(mailCost),
      schema: { summary: 'Page: asks for another address', body: AddressForm },
    },
    async (request, reply) => {
      const { email, password, form_token: token } = request.body;
      const session = sessionOf(request);
      requireForm(room, session.id, token);
      return orAgain(
        reply,
        async () => {
          const source = askingSourceOf(request, room);
          await auth.requestEmailChange(session, { email, password }, source);
          rememberAsker(reply, room, source);
          return codeForm(room, request, reply, { kind: 'email_change', email });
        },
        (problem) => show(request, reply, { email, problem }),
      );
    },
  );
};

const passwordPages: FastifyPluginAsyncTypebox<AccountPageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  const { path } = ownSections.password;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const say = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword, email } = await auth.userOf(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const title = say('page.password.title');
    if (hashedPassword === null) {
      const none = html`<p>${say('page.password.none')}</p>
        <p>
          <a class="button" href="${addressOf(paths.forgot, { email })}">${say('page.password.by_mail')}</a>
        </p>`;
      return pages.send(request, reply, { title, body: accountBody(say, none) });
    }
    await auth.stepUps.requireRecentSecond(session);
    const body = html`!${notice('done', done === 'changed' ? say('page.password.done') : undefined)}
      <p>${say('page.password.what')}</p>
      !${refusalOf(say, problem, ['new_password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
        <input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />
        !${field({
          name: 'password',
          label: say('page.field.current_password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        !${newPasswordField(room, request, { name: 'new_password', problem })}
        <button>${say('page.password.act')}</button>
      </form>`;
    return pages.send(request, reply, { title, body: accountBody(say, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your password', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    path,
    {
      ...admission(room),
      config: costing(2 * hashCost),
      schema: { summary: 'Page: sets another password', body: PasswordForm },
    },
    async (request, reply) => {
      const { password, new_password: next, form_token: token } = request.body;
      const session = sessionOf(request);
      requireForm(room, session.id, token);
      return orAgain(
        reply,
        async () => {
          await auth.changePassword(session, { current: password, next }, sourceOf(request, room));
          return goOn(reply, addressOf(path, { done: 'changed' }));
        },
        (problem) => show(request, reply, problem),
      );
    },
  );
};

const sessionPages: FastifyPluginAsyncTypebox<AccountPageRoom> = async (scope, room) => {
  const { auth, pages, rememberedDeviceDays } = room;
  const { path } = ownSections.sessions;
  scope.get(
    path,
    { schema: { summary: 'Page: your sessions and devices', querystring: PageQuery } },
    async (request, reply) => {
      const say = pages.speak(request);
      const current = sessionOf(request);
      const sessions = await auth.listSessions(current.userId, mostListed);
      const { done } = request.query;
      const items = sessions.map((session) => sessionItem(room, say, session, current.id));
      const others =
        sessions.length < 2
          ? ''
          : html`<form method="post" action="${path}/others">
              !${formToken(room, current.id)}
              <button class="second">${say('page.sessions.end_others')}</button>
            </form>`;
      const devices = rememberedDeviceDays > 0 ? await deviceList(room, say, current) : '';
      const body = html`!${notice('done', done === 'ended' ? say('page.sessions.ended') : undefined)}
        <p>${say('page.sessions.what')}</p>
        <ul class="rows">
          !${items}
        </ul>
        !${others} !${devices}`;
      return pages.send(request, reply, { title: say('page.sessions.title'), body: accountBody(say, body) });
    },
  );
  scope.post(
    path,
    { schema: { summary: 'Page: ends one of your sessions', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      const { id = '' } = request.body;
      await auth.endOwnSession(current, id, sourceOf(request, room));
      return goOn(reply, id === current.id ? paths.signIn : addressOf(path, { done: 'ended' }));
    },
  );
  scope.post(
    `${path}/others`,
    { schema: { summary: 'Page: ends your other sessions', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      await auth.endOtherSessions(current, sourceOf(request, room));
      return goOn(reply, addressOf(path, { done: 'ended' }));
    },
  );
  if (rememberedDeviceDays === 0) return;
  scope.post(
    `${path}/devices`,
    { schema: { summary: 'Page: forgets a device', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      await auth.forgetDevice(current, request.body.id ?? '', sourceOf(request, room));
      return goOn(reply, path);
    },
  );
};

function sessionItem(
  room: PageRoom,
  say: Say,
  { id, device, last_seen_at: seen, created_at: created, factors }: SessionSummary,
  currentId: string,
): string {
  const uses = parseFactors(factors).map(({ factor }) => say(`page.factor.${factor}`));
  const name = nameDevice(device ?? undefined) ?? say('page.sessions.unknown');
  const isCurrent = id === currentId;
  return html`<li>
    <div>
      <strong>${name}</strong> !${isCurrent ? html`<em>${say('page.sessions.current')}</em>` : ''}
      <small>${say('page.sessions.since', { created, seen })}</small>
      !${uses.length > 0 ? html`<small>${uses.join(' + ')}</small>` : ''}
    </div>
    !${
      isCurrent
        ? ''
        : html`<form method="post" action="${ownSections.sessions.path}">
            !${formToken(room, currentId)}
            <input type="hidden" name="id" value="${id}" />
            <button class="small" aria-label="${say('page.sessions.end_one', { name })}">
              ${say('page.sessions.end')}
            </button>
          </form>`
    }
  </li>`;
}

async function deviceList(
  room: PageRoom,
  say: Say,
  current: { id: string; userId: number },
): Promise<string> {
  const devices = await room.auth.listRememberedDevices(current.userId);
  if (devices.length === 0) return '';
  const items = devices.map(({ id, user_agent: agent, remembered_until: until }) => {
    const name = nameDevice(agent ?? undefined) ?? say('page.sessions.unknown');
    return html`<li>
      <div>
        <strong>${name}</strong>
        <small>${say('page.sessions.remembered_until', { until: until ?? 0 })}</small>
      </div>
      <form method="post" action="${ownSections.sessions.path}/devices">
        !${formToken(room, current.id)}
        <input type="hidden" name="id" value="${id}" />
        <button class="small" aria-label="${say('page.sessions.forget_one', { name })}">
          ${say('page.sessions.forget')}
        </button>
      </form>
    </li>`;
  });
  return html`<h2>${say('page.sessions.remembered')}</h2>
    <ul class="rows">
      !${items}
    </ul>`;
}

const activityPages: FastifyPluginAsyncTypebox<AccountPageRoom> = async (scope, room) => {
  const { pages, activityOf } = room;
  scope.get(
    ownSections.activity.path,
    { schema: { summary: 'Page: what happened to your account', querystring: PageQuery } },
    async (request, reply) => {
      const say = pages.speak(request);
      const events = await activityOf(sessionOf(request).userId, mostListed);
      const items = events.map((event) => eventItem(say, event));
      const body = html`<p>${say('page.activity.what')}</p>
        <ol class="rows">
          !${items}
        </ol>`;
      return pages.send(request, reply, { title: say('page.activity.title'), body: accountBody(say, body) });
    },
  );
};

const dataPages: FastifyPluginAsyncTypebox<AccountPageRoom> = async (scope, room) => {
  const { auth, pages, cookie } = room;
  const { path } = ownSections.data;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const say = pages.speak(request);
    const session = sessionOf(request);
    await auth.stepUps.requireRecent(session);
    const body = html`!${refusalOf(say, problem, [])}
      <p>${say('page.data.what')}</p>
      <p><a class="button" href="/profile/export" download>${say('page.data.export')}</a></p>
      <h2>${say('page.data.close')}</h2>
      <p>${say('page.data.close_what')}</p>
      <form method="post" action="${path}/close">
        !${formToken(room, session.id)}
        <label class="choice">
          <input type="checkbox" name="sure" value="yes" required /> ${say('page.data.sure')}
        </label>
        <button class="danger">${say('page.data.close_act')}</button>
      </form>`;
    return pages.send(request, reply, { title: say('page.data.title'), body: accountBody(say, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your data', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    `${path}/close`,
    { config: costing(mailCost), schema: { summary: 'Page: closes your account', body: CloseForm } },
    async (request, reply) => {
      const session = sessionOf(request);
      requireForm(room, session.id, request.body.form_token);
      if (request.body.sure !== 'yes') return goOn(reply, path);
      return orAgain(
        reply,
        async () => {
          const { deleteAt } = await auth.deletions.request(session, sourceOf(request, room));
          void reply.header('set-cookie', cookie.clear());
          const say = pages.speak(request);
          const body = notice('done', say('page.data.closed', { deleteAt }));
          return pages.send(request, reply, { title: say('page.data.closed_title'), body });
        },
        (problem) => show(request, reply, problem),
      );
    },
  );
};

function eventItem(say: Say, { event, outcome, at, address, device }: AuditEvent): string {
  const where = [nameDevice(device ?? undefined), address].filter(
    (text) => text !== undefined && text !== null,
  );
  return html`<li>
    <div>
      <strong>${say(`page.event.${event}`)}</strong>
      !${outcome === 'failure' ? html`<em class="failed">${say('page.activity.failed')}</em>` : ''}
      <small>${say('page.activity.when', { at })}</small> <small>${where.join(' · ')}</small>
    </div>
  </li>`;
}

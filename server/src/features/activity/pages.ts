// Shows the signed-in user the events of the account by day, and what to do about those that were not theirs.
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import type { Audit } from '../../audit/audit.ts';
import { addressOf } from '../../http/markup.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { icon } from '../../page/icon.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { timeTag } from '../../page/time.ts';
import { hiddenEvents } from '../../identity/event-display.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import { asksOwner, dayOf, entriesOf, iconOf, sentenceOf, type Entry } from './entry.ts';

export const activitySection = {
  path: '/account/activity',
  name: 'activity',
  icon: 'pulse',
  group: 'history',
} as const satisfies AccountSection;

const { path } = activitySection;
const notYouPath = `${path}/not-you`;

/** Events of one page. */
const pageSize = 50;

export interface ActivityPageParts {
  readonly pages: PageKit;
  readonly audit: Audit;
}

interface ActivityView {
  readonly entries: readonly Entry[];
  /** The page with the next older events; `undefined` if there are none. */
  readonly older: string | undefined;
}

/** The page of events, and the page about those that were not the user's. */
export function activityPages(parts: ActivityPageParts): PageRoutes['routes'] {
  const all = [listPage(parts), notYouPage(parts)];
  return async (scope, options) => {
    for (const { routes } of all) await routes(scope, options);
  };
}

function listPage({ pages, audit }: ActivityPageParts): PageRoutes {
  return formPage<ActivityView>(pages, {
    path,
    summary: 'Page: recent activity of your account',
    title: 'page.activity.title',
    layout: 'account',
    query: Type.Object({ before: Type.Optional(formField) }),
    load: async ({ request, query }) => {
      const page = { before: cursorOf(query['before']), excluded: hiddenEvents(), limit: pageSize + 1 };
      const events = await audit.listBefore(sessionOf(request).userId, page);
      const shown = events.slice(0, pageSize);
      const last = events.length > pageSize ? shown.at(-1) : undefined;
      return {
        entries: entriesOf(shown),
        older: last && addressOf(path, { before: `${last.at}.${last.id}` }),
      };
    },
    body: (visit, { entries, older }) => {
      const { t, query } = visit;
      const days = Map.groupBy(entries, ({ event }) => dayOf(event));
      const links = [
        query['before'] === undefined ? '' : html`<a href="${path}">${t('page.activity.newest')}</a>`,
        older === undefined ? '' : html`<a href="${older}">${t('page.activity.older')}</a>`,
      ].join('');
      return html`<p>${t(entries.length === 0 ? 'page.activity.nothing' : 'page.activity.what')}</p>
        <div data-days>!${[...days.values()].map((day) => daySection(visit, day))}</div>
        !${links === '' ? '' : html`<p class="links">!${links}</p>`}`;
    },
  });
}

/** Parses a position in the list, which `PageQueries` has checked. */
function cursorOf(text: string | undefined): { at: number; id: string } | undefined {
  const [at, id] = text?.split('.') ?? [];
  return at === undefined || id === undefined ? undefined : { at: Number(at), id };
}

/** The entries of a day in UTC. The script groups them by the days of the reader. */
function daySection(visit: Visit, day: readonly Entry[]): string {
  return html`<section>
    <h2 class="group">!${timeTag(visit.t, day[0]?.event.at ?? 0, 'day')}</h2>
    <ol class="rows">
      !${day.map((entry) => entryItem(visit, entry))}
    </ol>
  </section>`;
}

function entryItem({ t, request }: Visit, entry: Entry): string {
  const { at, address, device, actor } = entry.event;
  const { source } = request;
  // The record keeps the first characters of a user agent.
  const isThisDevice =
    address !== null && address === source.address && !!device && !!source.device?.startsWith(device);
  const client =
    nameDevice(device ?? undefined) ?? (address === null ? undefined : t('page.activity.unknown'));
  const where = [
    actor === 'operator' ? t('page.activity.operator') : client,
    address,
    isThisDevice ? t('page.activity.this_device') : undefined,
  ].filter((text) => text !== undefined && text !== null);
  const what = sentenceOf(t, entry);
  const isRefused = entry.display === 'refusal';
  return html`<li !${isRefused ? 'class="refused"' : ''}>
    !${icon(iconOf(entry))}
    <div>
      <strong>${what}</strong>
      <small
        >${where.join(' · ')}
        !${
          asksOwner(entry, isThisDevice)
            ? html`<a href="${notYouPath}" aria-label="${t('page.activity.not_you_about', { name: what })}"
                >${t('page.activity.not_you')}</a
              >`
            : ''
        }</small
      >
    </div>
    <small>!${timeTag(t, at, 'clock')}</small>
  </li>`;
}

/** What to do after something that the user did not do. */
function notYouPage({ pages }: ActivityPageParts): PageRoutes {
  return formPage(pages, {
    path: notYouPath,
    summary: 'Page: what to do about activity that was not yours',
    title: 'page.not_you.title',
    layout: 'account',
    load: () => ({}),
    body: ({ t }) =>
      html`<p>${t('page.not_you.what')}</p>
        <ol class="steps">
          <li><a href="${paths.password}">${t('page.not_you.password')}</a></li>
          <li><a href="${paths.sessions}">${t('page.not_you.sessions')}</a></li>
          <li><a href="${paths.account}">${t('page.not_you.methods')}</a></li>
        </ol>
        <p class="links"><a href="${path}">${t('page.not_you.back')}</a></p>`,
  });
}

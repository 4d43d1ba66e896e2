// The page on which users say how applications show them.
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf, field } from '../../http/markup.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { faultOf } from '../../page/form.ts';
import { form, formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { sessionOf } from '../session/guard.ts';
import type { Sessions } from '../session/session.ts';
import type { Details } from './details.ts';

export const profileSection = {
  path: '/account/profile',
  name: 'profile',
  icon: 'card',
  group: 'history',
} as const satisfies AccountSection;

interface ProfileView {
  readonly name: string;
  readonly picture: string;
}

/** The page, at the access level `session`. */
export function detailsPages({
  pages,
  details,
  sessions,
}: {
  readonly pages: PageKit;
  readonly details: Details;
  readonly sessions: Sessions;
}): PageRoutes['routes'] {
  const { path } = profileSection;
  return formPage<ProfileView>(pages, {
    path,
    summary: 'Page: your profile',
    title: 'page.profile.title',
    layout: 'account',
    subject: (request) => sessionOf(request).id,
    done: { changed: 'page.profile.done' },
    shows: ['name', 'picture'],
    load: async ({ request }) => {
      const { name, picture } = await sessions.userOf(sessionOf(request));
      return { name: name ?? '', picture: picture ?? '' };
    },
    body: (visit, view) =>
      html`<p>${visit.t('page.profile.what')}</p>
        <form method="post" action="${path}">
          !${visit.inputs} !${textField(visit, view, 'name')} !${textField(visit, view, 'picture')}
          <button>${visit.t('page.profile.act')}</button>
        </form>`,
    forms: [
      form({
        summary: 'Page: changes the name and the picture',
        fields: Type.Object({ name: formField, picture: formField }),
        keeps: ['name', 'picture'],
        submit: async ({ name, picture }, { request }) => {
          await details.change(sessionOf(request).userId, { name, picture }, request.source);
          return addressOf(path, { done: 'changed' });
        },
      }),
    ],
  }).routes;
}

/** A field with what was typed before, or what is stored. */
function textField(
  { t, refusal, typed }: Visit,
  view: ProfileView,
  name: keyof ProfileView & ('name' | 'picture'),
): string {
  return field({
    name,
    label: t(`page.profile.${name}`),
    hint: t(`page.profile.${name}_hint`),
    value: typed(name, view[name]),
    autocomplete: name === 'name' ? 'name' : 'photo',
    isOptional: true,
    fault: faultOf(t, refusal?.problem, name),
  });
}

// Describes in words the access that an application asks for.
import { html } from 'ghtml';
import type { Translate } from '../../../http/pages.ts';
import type { RequestedAccess } from '../session/requested-access.ts';

const knownScopes = ['openid', 'profile', 'email', 'offline_access'];

/** Returns a scope in words. @param name As `namesOf` stores it. */
export function accessText(t: Translate, name: string): string {
  if (knownScopes.includes(name)) return t(`page.oidc.scope.${name}`);
  const [first = '', second] = name.split(' ');
  if (second === undefined) return t('page.oidc.scope.other', { scope: first });
  return first === 'claim'
    ? t('page.oidc.claim', { claim: second })
    : t('page.oidc.resource_scope', { resource: first, name: second });
}

/** Returns list items that say what a request asks for. Every application learns who its user is. */
export function accessItems(t: Translate, { scopes, claims, resources }: RequestedAccess): string {
  const names = [
    'openid',
    ...scopes.filter((scope) => scope !== 'openid'),
    ...claims.map((claim) => `claim ${claim}`),
    ...Object.entries(resources).flatMap(([resource, own]) => own.map((name) => `${resource} ${name}`)),
  ];
  return names.map((name) => html`<li>${accessText(t, name)}</li>`).join('');
}

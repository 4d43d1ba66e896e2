import { addressOf } from '../../../http/markup.ts';

/** Paths of the provider. They are full paths, because the engine has no prefix. */
export const oidcPaths = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  userinfo: '/oauth/userinfo',
  jwks: '/oauth/jwks',
  introspection: '/oauth/introspect',
  revocation: '/oauth/revoke',
  endSession: '/oauth/end-session',
  endSessionQuestion: '/oauth/end-session/confirm',
  pushed: '/oauth/par',
  deviceAuthorization: '/oauth/device-authorization',
  interaction: '/oauth/interaction',
  device: '/device',
  deviceQuestion: '/device/confirm',
  openidConfiguration: '/.well-known/openid-configuration',
  oauthConfiguration: '/.well-known/oauth-authorization-server',
} as const;

/** Returns the address of the page of a request. It has the languages that the application asks for. */
export function interactionAddress(uid: string, locales: unknown): string {
  const path = `${oidcPaths.interaction}/${uid}`;
  return typeof locales === 'string' ? addressOf(path, { ui_locales: locales.slice(0, 200) }) : path;
}

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

// The OpenID provider: applications sign their users in here (OpenID Connect Core 1.0).
import { secondMs } from '../../kit/clock.ts';
import { module } from '../../module.ts';
import { declaration } from './declaration.ts';
import { buildEngine } from './engine/build.ts';
import { browserRoutes, programRoutes } from './engine/routes.ts';
import { SealedState } from './session/sealed-state.ts';
import { endSessionPages } from './end-session/pages.ts';
import { endSessionRoutes, type LogoutQuestion } from './end-session/routes.ts';
import { expiringRows } from './grant/grants.ts';
import { interactionPages } from './interaction/pages.ts';
import { refusalPages } from './interaction/refusal-pages.ts';
import { LogoutOutbox } from './logout/outbox.ts';
import { registryStarts } from './registry/start.ts';

export const oidc = module({
  ...declaration,
  commands: [
    { name: 'client', load: async () => (await import('./registry/client-command.ts')).clientCommand },
    { name: 'resource', load: async () => (await import('./registry/resource-command.ts')).resourceCommand },
    { name: 'logout', load: async () => (await import('./logout/command.ts')).logoutCommand },
  ],
  build: (core, options) => {
    const { context, cookies, details, keyring, outgoing, pages, secondFactors, sessions, signingKeys } =
      core;
    const { db, clock, events, log } = context;
    const sessionCookie = cookies.session;
    const needs = { context, details, keyring, pages, secondFactors, sessions, sessionCookie, signingKeys };
    const { engine, limit, refusals, requests, view } = buildEngine(needs, options);
    const logouts = new LogoutOutbox({
      database: db,
      clock,
      log,
      issuer: pages.publicOrigin,
      keys: signingKeys,
      fetch: outgoing.fetch,
    });
    const ending = {
      pages,
      cookies,
      sessions,
      view,
      refusals,
      provider: () => engine.provider(),
      questions: new SealedState<LogoutQuestion>(keyring.textCipher('oidc-logout'), clock),
    };
    const asking = { pages, cookies, events, requests, secondFactors, sessions, view };
    return {
      starts: registryStarts(context, options.clientsFile),
      routes: [
        { access: 'open', json: programRoutes({ engine, limit, sessionCookie }) },
        { access: 'open', json: browserRoutes({ engine, limit, sessionCookie }) },
        { access: 'optional', pages: interactionPages(asking) },
        { access: 'optional', json: endSessionRoutes(ending) },
        { access: 'optional', pages: endSessionPages(ending) },
        { access: 'open', pages: refusalPages({ pages, refusals }) },
      ],
      purges: [...expiringRows(db, clock), logouts],
      jobs: [{ name: 'deliver logouts', everyMs: secondMs, run: async () => void (await logouts.deliver()) }],
    };
  },
});

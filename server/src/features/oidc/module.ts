// The OpenID provider: applications sign their users in here (OpenID Connect Core 1.0).
import { secondMs } from '../../kit/clock.ts';
import { module } from '../../module.ts';
import { buildApplications } from './application/build.ts';
import { declaration } from './declaration.ts';
import { buildEngine } from './engine/build.ts';
import { browserRoutes, programRoutes } from './engine/routes.ts';
import { buildDevicePages } from './device/build.ts';
import { buildEndSession } from './end-session/build.ts';
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
    const provider = (): ReturnType<typeof engine.provider> => engine.provider();
    const ending = buildEndSession({ clock, keyring, pages, cookies, sessions, view, refusals, provider });
    const refuse: (typeof refusals)['addressOf'] = (refusal) => refusals.addressOf(refusal);
    const trustsAddresses = options.oidcAssumeEmailVerified;
    const devices = { context, keyring, pages, secondFactors, view, provider, trustsAddresses };
    const applications = buildApplications({ db, clock, events, pages, trustsAddresses });
    const asking = { pages, cookies, events, requests, secondFactors, sessions, view };
    return {
      starts: registryStarts(context, options.clientsFile),
      routes: [
        { access: 'open', json: programRoutes({ engine, limit, sessionCookie }) },
        { access: 'optional', json: browserRoutes({ engine, limit, refuse, sessionCookie }) },
        { access: 'optional', pages: interactionPages(asking) },
        { access: 'optional', json: ending.routes },
        { access: 'optional', pages: ending.pages },
        { access: 'session', pages: buildDevicePages(devices) },
        { access: 'session', pages: applications.pages },
        { access: 'session', json: applications.routes },
        { access: 'open', pages: refusalPages({ pages, refusals }) },
      ],
      account: [applications.section],
      destinations: [(target) => requests.nameOfTarget(target)],
      exports: [applications.data],
      denials: [applications.denials],
      purges: [...expiringRows(db, clock), logouts],
      jobs: [{ name: 'deliver logouts', everyMs: secondMs, run: async () => void (await logouts.deliver()) }],
    };
  },
});

// Installs the hooks that every request passes before its route, in their order. No hook reads the body.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../../kit/problem.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { CoreOptions } from '../../config/options.ts';
import { ClientAddress } from '../limit/client-address.ts';
import { answerOrigins } from '../origin/cors.ts';
import { refuseCrossSite } from '../origin/cross-site.ts';
import { LocalRequests } from '../limit/proxy-hint.ts';
import { RejectionThrottle } from '../limit/rejection-throttle.ts';
import { RequestLimits } from '../limit/limits.ts';
import { Origins } from '../origin/origins.ts';
import { boundPipelines } from './pipeline.ts';
import { secureReplies, securityHeaders, type Headers } from '../reply/security-headers.ts';

type RequestHookOptionNames =
  | 'publicUrl'
  | 'allowedOrigins'
  | 'trustedProxies'
  | 'addressLimitPerMinute'
  | 'ipv6SiteLimitPerMinute'
  | 'ipv6BlockLimitPerMinute'
  | 'globalLimitPerMinute'
  | 'accountReadsPerMinute'
  | 'hstsSubdomains';

export interface RequestHookOptions extends Pick<CoreOptions, RequestHookOptionNames> {
  readonly isPublic: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export class RequestHooks {
  readonly headers: Headers;
  readonly clientAddress: ClientAddress;
  readonly #origins: Origins;
  /** Delays the rejections of all hooks during a flood. */
  readonly throttle = new RejectionThrottle();
  readonly limits: RequestLimits;
  /** In local mode. */
  readonly #localRequests: LocalRequests | undefined;
  /** Limit of reads per account. The access levels count them. */
  readonly reads: { readonly perMinute: number; readonly clock: Clock };
  /** True while the service stops: new requests are rejected, so that a proxy sends them to another instance. */
  isClosed = false;

  constructor(options: RequestHookOptions) {
    this.headers = securityHeaders(options);
    this.clientAddress = new ClientAddress(options.trustedProxies);
    this.#origins = new Origins(options);
    this.limits = new RequestLimits({
      ...options,
      clientAddress: this.clientAddress,
      throttle: this.throttle,
    });
    this.#localRequests = options.isPublic
      ? undefined
      : new LocalRequests({ ...options, throttle: this.throttle });
    this.reads = { perMinute: options.accountReadsPerMinute, clock: options.clock };
  }

  /** Installs the hooks for all routes that are registered afterwards. */
  install(app: FastifyInstance): void {
    secureReplies(app, this.headers);
    boundPipelines(app);
    this.#rejectUnservable(app);
    this.#localRequests?.install(app);
    answerOrigins(app, this.#origins);
    refuseCrossSite(app, this.#origins);
    this.limits.install(app);
  }

  #rejectUnservable(app: FastifyInstance): void {
    app.addHook('onRequest', ({ raw }, reply, done) => {
      // Checks the Host header (RFC 9112 §3.2). Node would answer without a body, so its own check is turned off.
      const hosts = countHosts(raw.rawHeaders);
      const isAmbiguous = hosts > 1 || (hosts === 0 && raw.httpVersion === '1.1');
      if (!this.isClosed && !isAmbiguous) return done();
      void reply.header('connection', 'close');
      if (isAmbiguous)
        return done(new Problem('invalid_request', { message: 'The Host header is missing or repeated' }));
      return done(new Problem('unavailable', { message: 'The service is stopping', retryAfterSeconds: 1 }));
    });
  }
}

/** Counts the Host headers. With several, a proxy in front of the service may have used another one. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

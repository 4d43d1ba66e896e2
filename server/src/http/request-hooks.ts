// What every request meets before its route, and in which order. No gate reads the body.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../kit/problem.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { CoreOptions } from '../config/options.ts';
import { ClientAddress } from './client-address.ts';
import { answerOrigins } from './cors.ts';
import { refuseCrossSite } from './cross-site.ts';
import { RejectionThrottle } from './rejection-throttle.ts';
import { RequestLimits } from './limits.ts';
import { Origins } from './origins.ts';
import { boundPipelines } from './pipeline.ts';
import { secureReplies, securityHeaders, type Headers } from './security-headers.ts';

type RequestHookOptionNames =
  | 'publicUrl'
  | 'allowedOrigins'
  | 'trustedProxies'
  | 'addressLimitPerMinute'
  | 'globalLimitPerMinute'
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
  /** At which a flood is refused, by whatever gate. */
  readonly throttle = new RejectionThrottle();
  readonly #limits: RequestLimits;
  /** True from the first sign of a stop on: requests that come now are sent elsewhere. */
  isClosed = false;

  constructor(options: RequestHookOptions) {
    this.headers = securityHeaders(options);
    this.clientAddress = new ClientAddress(options.trustedProxies);
    this.#origins = new Origins(options);
    this.#limits = new RequestLimits({
      ...options,
      clientAddress: this.clientAddress,
      throttle: this.throttle,
    });
  }

  /** Hangs the gates before all routes that are registered from here on. */
  install(app: FastifyInstance): void {
    secureReplies(app, this.headers);
    boundPipelines(app);
    this.#refuseUnservable(app);
    answerOrigins(app, this.#origins);
    refuseCrossSite(app, this.#origins);
    this.#limits.install(app);
  }

  #refuseUnservable(app: FastifyInstance): void {
    app.addHook('onRequest', ({ raw }, reply, done) => {
      // RFC 9112 §3.2 of the Host. The server leaves it to us, or it would answer without a body.
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

/** Lines of the Host header. Of several, whoever stands before us may have believed another one than we do. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

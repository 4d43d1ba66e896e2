// Declares a built service and what tests replace in it, and starts its background jobs.
import { minuteMs, secondMs, type Clock } from '../kit/clock.ts';
import type { PageAssets } from '../brand/page-assets.ts';
import type { DatabaseTimes } from '../db/database-times.ts';
import type { RequestHooks } from '../http/server/request-hooks.ts';
import type { ConnectionTimes } from '../http/server/server.ts';
import type { PasswordHasher } from '../identity/context.ts';
import type { Job, Jobs } from '../jobs/jobs.ts';
import type { KeyFactory } from '../keys/signing-key.ts';
import type { MailTransport } from '../mail/smtp.ts';
import type { Contribution, IdentityCore, Module } from '../module.ts';

/** A built module. @internal */
export interface BuiltModule extends Contribution {
  readonly name: string;
  readonly isOn: boolean;
}

/** The whole service without its HTTP server. */
export interface Service {
  /** @internal */
  readonly core: IdentityCore;
  /** @internal */
  readonly modules: readonly BuiltModule[];
  /** @internal */
  readonly hooks: RequestHooks;
  /** @internal */
  readonly assets: PageAssets;
  /** @internal */
  readonly jobs: Jobs;
  /**
   * Stops the background jobs, writes pending data and closes the database. Close your server before. A second call waits
   * for the first one.
   */
  close(): Promise<void>;
}

/** What tests replace in a service, and a command its hasher. @internal */
export interface Overrides {
  readonly clock?: Clock;
  /** Instead of the SMTP server of the options. */
  readonly mailTransport?: MailTransport;
  /** Instead of one with the costs of the options. It is closed with the service. */
  readonly hasher?: PasswordHasher;
  /** Instead of `serviceTimes`. */
  readonly databaseTimes?: DatabaseTimes;
  /** Instead of `connectionTimes`. */
  readonly connectionTimes?: ConnectionTimes;
  /** Instead of RSA keys of 3072 bits. */
  readonly createSigningKey?: KeyFactory;
  /** Instead of the list of this release. */
  readonly modules?: readonly Module[];
}

/** Interval at which the last use of sessions is written. */
const flushSeenMs = 20 * secondMs;
const purgeMs = 10 * minuteMs;
/** Interval at which audit events are sealed. Short, because removing a row that is not sealed yet leaves no gap. */
const sealMs = secondMs;
/** Interval at which due mails are delivered. */
const deliverMs = secondMs;

/**
 * Does what modules do before the service listens.
 * @throws {CommandError} if the service must not start; it is then closed.
 * @internal
 */
export async function prepareStart(service: Service): Promise<void> {
  try {
    for (const { isOn, starts = [] } of service.modules) if (isOn) for (const start of starts) await start();
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** Starts the background jobs. @internal */
export function startJobs({ jobs, core, modules }: Service): void {
  const { audit, mail, pages, sessions } = core;
  const own: readonly Job[] = [
    { name: 'write the last use of sessions', everyMs: flushSeenMs, run: () => sessions.flush() },
    { name: 'seal the audit record', everyMs: sealMs, run: async () => void (await audit.seal()) },
    { name: 'purge', everyMs: purgeMs, run: () => purge(core) },
    ...(pages.keepsMails
      ? []
      : [{ name: 'send mails', everyMs: deliverMs, run: async () => void (await mail.deliver()) }]),
  ];
  for (const job of [...own, ...modules.flatMap(({ isOn, jobs: more = [] }) => (isOn ? more : []))])
    jobs.start(job);
}

/** Removes expired rows. */
async function purge({ audit, mail, ...core }: IdentityCore): Promise<void> {
  await core.purge();
  await audit.purge();
  await mail.purge();
}

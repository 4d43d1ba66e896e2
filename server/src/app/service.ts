// Declares a built service, and what tests replace in it.
import type { Clock } from '../kit/clock.ts';
import type { HasherOptions } from '../hash/hasher.ts';
import type { PageAssets } from '../brand/page-assets.ts';
import type { RequestHooks } from '../http/request-hooks.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { MailTransport } from '../mail/smtp.ts';
import type { Contribution, IdentityCore, Module } from '../module.ts';

/** A built module. */
export interface BuiltModule extends Contribution {
  readonly name: string;
  readonly isOn: boolean;
}

/** The whole service without its HTTP server. */
export interface Service {
  readonly core: IdentityCore;
  readonly modules: readonly BuiltModule[];
  readonly hooks: RequestHooks;
  readonly assets: PageAssets;
  readonly jobs: Jobs;
  close(): Promise<void>;
}

/** Test overrides. */
export interface TestOverrides {
  readonly clock?: Clock;
  /** Instead of the SMTP server of the options. */
  readonly mailTransport?: MailTransport;
  /** Instead of the costs of the options. */
  readonly hashing?: HasherOptions;
  /** Instead of the list of this release. */
  readonly modules?: readonly Module[];
}

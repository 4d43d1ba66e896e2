// Runs the service: starts it, records the start, and stops it at a signal.
import { Command } from 'commander';
import { secondMs } from '../../kit/clock.ts';
import { readOptions } from '../../app/options.ts';
import { migratedModules } from '../../app/migrations.ts';
import { openDatabase } from '../../db/open-database.ts';
import { listen, originOf, type Listening } from '../../app/listen.ts';
import { createApp } from '../../app/server.ts';
import { buildService } from '../../app/core.ts';
import { prepareStart, startJobs } from '../../app/service.ts';
import { serviceEvents } from '../../app/event.ts';
import { createLog } from '../../http/log.ts';
import type { CommandContext } from '../context.ts';
import { becomeOwner } from '../../operation/data-owner.ts';
import { databaseFacts } from '../../operation/data-place.ts';
import { CommandError } from '../../operation/refusal.ts';
import { addressSentence, requireStartable } from '../../operation/start-check.ts';

/** How long a stop waits for running requests. */
const stopMs = 10 * secondMs;

export function serveCommand({ environment, overrides = {} }: CommandContext): Command {
  return new Command('serve')
    .description('run the service until SIGTERM or SIGINT; a second signal stops it immediately')
    .action(async () => {
      const configuration = readOptions(environment);
      const { host, port, databaseUrl, logLevel, logFormat, publicUrl } = configuration.options;
      const pretty = logFormat === 'auto' ? process.stdout.isTTY : logFormat === 'pretty';
      const log = await createLog({ level: logLevel, pretty });
      for (const warning of configuration.warnings) log.warn({}, warning);
      becomeOwner(configuration.options);
      await requireStartable(configuration.options, overrides.databaseTimes);

      const opening = { ...configuration.options, times: overrides.databaseTimes, isExamined: true };
      const service = await buildService(
        configuration,
        await openDatabase(databaseUrl, migratedModules, opening),
        log,
        overrides,
      );
      await prepareStart(service);
      const app = await createApp(service, log, { times: overrides.connectionTimes });
      let listening: Listening;
      try {
        listening = await listen(app, { host, port, log });
      } catch (error) {
        await service.close();
        // A system error of listen(2): since the check above, another program may have taken the port.
        throw new CommandError(addressSentence(error as NodeJS.ErrnoException, host, port), { cause: error });
      }
      log.info(databaseFacts(databaseUrl, environment), 'The database is open');
      startJobs(service);
      const { db, events } = service.core.context;
      try {
        await events.emit(db, serviceEvents.service_started, { source: { actor: 'service' } });
      } catch (error) {
        await listening.close();
        await service.close();
        throw error;
      }

      const stop = async (signal: string): Promise<void> => {
        if (service.hooks.isClosed) {
          log.warn({ signal }, 'Stopped without waiting for open requests');
          process.exit(1);
        }
        service.hooks.isClosed = true;
        log.info({ signal }, 'Stopping after open requests finish');
        const force = setTimeout(() => app.server.closeAllConnections(), stopMs).unref();
        await listening.close();
        clearTimeout(force);
        await events
          .emit(db, serviceEvents.service_stopped, { source: { actor: 'service' } })
          .catch(() => {}); // an unreachable database must not delay the stop
        await service.close();
        log.info({}, 'Stopped');
      };
      for (const signal of ['SIGTERM', 'SIGINT'] as const)
        process.on(signal, () => {
          stop(signal).catch((error: unknown) => {
            log.error({ err: error }, 'Shutdown failed');
            process.exit(1);
          });
        });
      // An unhandled rejection is a bug of one request: it is logged, and must not stop the service.
      process.on('unhandledRejection', (error) => log.error({ err: error }, 'Unhandled promise rejection'));

      // Last, because a program that waits for it may send a signal then.
      const origin = publicUrl?.origin ?? originOf(host, listening.port);
      const { keepsMails, keptMailPage } = service.core.pages;
      const mails = keepsMails && keptMailPage !== undefined ? `${origin}${keptMailPage.path}` : undefined;
      log.info(
        { address: host, port: listening.port, mode: configuration.isPublic ? 'public' : 'local', mails },
        `Bienvenue is listening on ${origin}`,
      );
      if (pretty && mails !== undefined) log.info({}, `Emails are not sent. Read them at ${mails}`);
      if (pretty) log.info({}, 'Press Ctrl+C to stop');
    });
}

// Runs the service: starts it, records the start, and stops it at a signal.
import { Command } from 'commander';
import { secondMs } from '../kit/clock.ts';
import { readOptions } from '../app/options.ts';
import { migratedModules } from '../app/migrations.ts';
import { openDatabase } from '../db/open-database.ts';
import { createApp } from '../app/server.ts';
import { buildService } from '../app/core.ts';
import { startJobs } from '../app/service.ts';
import { serviceEvents } from '../app/event.ts';
import { createLog } from '../http/log.ts';
import { boundPort, listenOnLoopback, originOf } from '../http/loopback.ts';
import type { CommandContext } from './context.ts';
import { CommandError } from './output.ts';

/** How long a stop waits for running requests. */
const stopMs = 10 * secondMs;

export function serveCommand({ environment, overrides }: CommandContext): Command {
  return new Command('serve')
    .description('run the service until SIGTERM or SIGINT; a second signal stops it immediately')
    .action(async () => {
      const configuration = readOptions(environment);
      const { host, port, databaseUrl, logLevel, logFormat, publicUrl } = configuration.options;
      const pretty = logFormat === 'auto' ? process.stdout.isTTY : logFormat === 'pretty';
      const log = await createLog({ level: logLevel, pretty });

      const service = await buildService(
        configuration,
        await openDatabase(databaseUrl, migratedModules, { isExamined: true }),
        log,
        overrides,
      );
      const app = await createApp(service, log);
      // The framework's own line would repeat the one below.
      const { level } = log;
      if (logLevel === 'info') log.level = 'warn';
      try {
        await (host === 'localhost' ? listenOnLoopback(app, port, log) : app.listen({ host, port }));
      } catch (error) {
        await service.close();
        const { code } = error as { code?: string }; // a system error of listen(2)
        if (code === 'EADDRINUSE')
          throw new CommandError(
            `Port ${port} is in use. Stop the other program, or set PORT to another port.`,
          );
        if (code === 'EACCES')
          throw new CommandError(`This user may not listen on port ${port}. Set PORT to 1024 or more.`);
        if (code === 'EADDRNOTAVAIL')
          throw new CommandError(`HOST is ${host}, which is not an address of this machine.`);
        throw error;
      } finally {
        log.level = level;
      }
      startJobs(service);
      const { db, events } = service.core.context;
      await events.emit(db, serviceEvents.service_started, { source: { actor: 'service' } });

      const bound = boundPort(app) ?? port;
      const origin = publicUrl?.origin ?? originOf(host, bound);
      const { keepsMails, keptMailPage } = service.core.pages;
      const mailbox = keepsMails && keptMailPage !== undefined ? `${origin}${keptMailPage.path}` : undefined;
      log.info(
        { address: host, port: bound, mode: configuration.isPublic ? 'public' : 'local', mailbox },
        `Bienvenue is listening on ${origin}`,
      );
      if (pretty) {
        if (mailbox !== undefined) log.info({}, `Emails are not sent. Read them at ${mailbox}`);
        log.info({}, 'Press Ctrl+C to stop');
      }

      let stopping = false;
      const stop = async (signal: string): Promise<void> => {
        if (stopping) {
          log.warn({ signal }, 'Stopped without waiting for open requests');
          process.exit(1);
        }
        stopping = true;
        service.hooks.isClosed = true;
        log.info({ signal }, 'Stopping after open requests finish');
        const force = setTimeout(() => app.server.closeAllConnections(), stopMs).unref();
        await app.close();
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
    });
}

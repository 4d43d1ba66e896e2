import { Command } from 'commander';
import { secondMs } from '../kit/clock.ts';
import { readOptions } from '../config/read-options.ts';
import { migratedModules } from '../app/migrations.ts';
import { openDatabase } from '../db/open-database.ts';
import { createApp } from '../app/server.ts';
import { buildService, startJobs } from '../app/core.ts';
import { serviceEvents } from '../app/event.ts';
import { createLog } from '../http/log.ts';
import type { CommandContext } from './cli.ts';
import { Refusal } from './output.ts';

/** How long a stop waits for the requests under way. */
const stopMs = 10 * secondMs;

export function serveCommand({ environment, overrides }: CommandContext): Command {
  return new Command('serve')
    .description('serve until SIGTERM or SIGINT; a second one does not wait')
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
      try {
        await app.listen({ host, port });
      } catch (error) {
        await service.close();
        const { code } = error as { code?: string }; // a system error of listen(2)
        if (code === 'EADDRINUSE')
          throw new Refusal(`Port ${port} is taken. End the other program, or set PORT to another.`);
        if (code === 'EACCES')
          throw new Refusal(`Port ${port} may not be listened on by this user. Set PORT to 1024 or more.`);
        if (code === 'EADDRNOTAVAIL')
          throw new Refusal(`HOST is ${host}, which is no address of this machine.`);
        throw error;
      }
      startJobs(service);
      const { db, events } = service.core.context;
      await events.emit(db, serviceEvents.service_started, { source: { actor: 'service' } });

      const address = app.server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      log.info(
        { address: host, port: bound, mode: configuration.isPublic ? 'public' : 'local' },
        `Bienvenue listens on ${publicUrl?.origin ?? `http://${host.includes(':') ? `[${host}]` : host}:${bound}`}`,
      );

      let stopping = false;
      const stop = async (signal: string): Promise<void> => {
        if (stopping) {
          log.warn({ signal }, 'Stopped without waiting');
          process.exit(1);
        }
        stopping = true;
        service.hooks.isClosed = true;
        log.info({ signal }, 'Stopping: requests under way are finished');
        const force = setTimeout(() => app.server.closeAllConnections(), stopMs).unref();
        await app.close();
        clearTimeout(force);
        await events
          .emit(db, serviceEvents.service_stopped, { source: { actor: 'service' } })
          .catch(() => {}); // a database that is gone must not hold up the stop
        await service.close();
        log.info({}, 'Stopped');
      };
      for (const signal of ['SIGTERM', 'SIGINT'] as const)
        process.on(signal, () => {
          stop(signal).catch((error: unknown) => {
            log.error({ err: error }, 'The stop failed');
            process.exit(1);
          });
        });
      // One request's forgotten promise must not take the service down; it is a bug, and told as one.
      process.on('unhandledRejection', (error) =>
        log.error({ err: error }, 'A promise was rejected and nobody noticed'),
      );
    });
}

import { readOptions } from '../config/read-options.ts';
import { openDatabase } from '../db/open-database.ts';
import { silentLog } from '../kit/log.ts';
import { buildRooms, type Rooms } from '../app/core.ts';
import type { CommandContext } from './cli.ts';

/** Opens the rooms for one command and closes them behind it. */
export async function withRooms<T>(
  { environment }: CommandContext,
  work: (rooms: Rooms) => Promise<T>,
): Promise<T> {
  const configuration = readOptions(environment);
  const rooms = await buildRooms(
    configuration,
    await openDatabase(configuration.options.databaseUrl),
    silentLog,
  );
  try {
    return await work(rooms);
  } finally {
    await rooms.close();
  }
}

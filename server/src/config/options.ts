// The table of options: the type, the reader, the manual and `bienvenue config` come from it.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { databaseUrl, flag, integer, oneOf, publicUrl, text } from './parse.ts';

/** What a default may follow from. */
export interface Given {
  /** `PUBLIC_URL` is https: the rules of the open internet hold. */
  readonly isPublic: boolean;
  readonly dataDir: string;
}

/** One option. */
export interface OptionRow<T> {
  /** Name of the environment variable, and of the key in a file of options. */
  readonly env: string;
  readonly parse: (value: string) => T;
  /** What it does, in one sentence. */
  readonly says: string;
  readonly default: (given: Given) => T;
  /** The default in words, where it depends. */
  readonly defaultSays?: string;
  /** Never printed; may also be given as the path of a file in `<env>_FILE`. */
  readonly secret?: boolean;
}

function option<T>(row: OptionRow<T>): OptionRow<T> {
  return row;
}

const defaultDataDir = './data';

export const options = {
  publicUrl: option<URL | undefined>({
    env: 'PUBLIC_URL',
    parse: publicUrl,
    says: 'Address under which people reach the service. With https the rules of the open internet hold; without it, or on a loopback host, those for trying things out.',
    default: () => undefined,
    defaultSays: 'none: local mode',
  }),
  host: option({
    env: 'HOST',
    parse: text,
    says: 'Address to listen on. Local mode listens on loopback only.',
    default: () => '127.0.0.1',
  }),
  port: option({ env: 'PORT', parse: integer(0, 65_535), says: 'Port to listen on; 0 takes a free one.', default: () => 5000 }),
  dataDir: option({
    env: 'DATA_DIR',
    parse: text,
    says: 'Folder of what the service keeps. On a local disk, readable by the service alone.',
    default: () => defaultDataDir,
  }),
  databaseUrl: option({
    env: 'DATABASE_URL',
    parse: databaseUrl,
    says: 'Where the accounts are: sqlite:<path> or postgres://user:password@host/database.',
    default: ({ dataDir }) => `sqlite:${join(dataDir, 'bienvenue.db')}`,
    defaultSays: '`sqlite:<DATA_DIR>/bienvenue.db`',
    secret: true,
  }),
  logLevel: option({
    env: 'LOG_LEVEL',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    says: 'How much is logged: debug tells every request, info those that change something or fail.',
    default: () => 'info',
  }),
  logFormat: option({
    env: 'LOG_FORMAT',
    parse: oneOf('auto', 'json', 'pretty'),
    says: 'JSON lines, or lines for the eye; auto is pretty on a terminal.',
    default: () => 'auto',
  }),
  sessionDays: option({ env: 'SESSION_DAYS', parse: integer(1, 365), says: 'Days after which a session ends in any case.', default: () => 30 }),
  sessionIdleDays: option({
    env: 'SESSION_IDLE_DAYS',
    parse: integer(1, 365),
    says: 'Days without a request after which a session ends.',
    default: () => 7,
  }),
  sessionsPerUser: option({
    env: 'SESSIONS_PER_USER',
    parse: integer(1, 1000),
    says: 'Sessions that a user may hold; a new one beyond that ends the oldest.',
    default: () => 50,
  }),
  resetTokenMinutes: option({
    env: 'RESET_TOKEN_MINUTES',
    parse: integer(5, 1440),
    says: 'Minutes for which a reset token can be spent.',
    default: () => 60,
  }),
  revealAccounts: option({
    env: 'REVEAL_ACCOUNTS',
    parse: flag,
    says: 'Tells whoever registers a taken address that it is taken. Otherwise the reply is that of a new one, and its owner gets a mail.',
    default: ({ isPublic }) => !isPublic,
    defaultSays: 'true in local mode, false in public mode',
  }),
  hashThreads: option({
    env: 'HASH_THREADS',
    parse: integer(1, 256),
    says: 'Threads that hash passwords, at the lowest priority; one per core.',
    default: () => availableParallelism(),
    defaultSays: 'the number of cores',
  }),
  hashMemoryKib: option({
    env: 'HASH_MEMORY_KIB',
    parse: integer(19_456, 4_194_304),
    says: 'Memory of one argon2id hash in KiB. Raising it upgrades each hash at the next login.',
    default: () => 19_456,
  }),
  hashPasses: option({ env: 'HASH_PASSES', parse: integer(2, 100), says: 'Passes of one argon2id hash over its memory.', default: () => 2 }),
} as const;

type Table = typeof options;
/** Values of all options. */
export type Options = { readonly [Name in keyof Table]: ReturnType<Table[Name]['default']> };
export type OptionName = keyof Table;

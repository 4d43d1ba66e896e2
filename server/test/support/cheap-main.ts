// The program `bienvenue` with cheap hashes, and with the limits of the real one for its database and its clients.
import { run } from '../../src/cli/cli.ts';
import { Hasher } from '../../src/hash/hasher.ts';
import { cheapHashing } from './hashing.ts';

await run(process.argv, { environment: process.env, overrides: { hasher: new Hasher(cheapHashing) } });

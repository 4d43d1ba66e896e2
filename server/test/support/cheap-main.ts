// The program `bienvenue` with cheap hashes, for tests that start it and need many hashes.
import { run } from '../../src/cli/cli.ts';
import { Hasher } from '../../src/hash/hasher.ts';
import { cheapHashing } from './hashing.ts';

await run(process.argv, { environment: process.env, overrides: { hasher: new Hasher(cheapHashing) } });

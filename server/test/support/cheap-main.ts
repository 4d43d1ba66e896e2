// The program `bienvenue` with hashes that cost little, for tests that start it and need many of them.
import { run } from '../../src/cli/cli.ts';
import { cheapHashing } from './hashing.ts';

await run(process.argv, { environment: process.env, overrides: { hashing: cheapHashing } });

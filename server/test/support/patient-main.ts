// The program `bienvenue`, which waits for its hashes, its database and its clients for longer than users would. Its hashes
// are cheap, or of the real cost with TEST_HASHES=real.
import { run } from '../../src/cli/cli.ts';
import { Hasher } from '../../src/hash/hasher.ts';
import { connectionTimes } from '../../src/http/server/server.ts';
import { minuteMs } from '../../src/kit/clock.ts';
import { patientTimes } from './database-times.ts';
import { cheapHashing, realHashing } from './hashing.ts';

await run(process.argv, {
  environment: process.env,
  overrides: {
    hasher: new Hasher(process.env['TEST_HASHES'] === 'real' ? realHashing : cheapHashing),
    databaseTimes: patientTimes,
    connectionTimes: {
      ...connectionTimes,
      requestMs: minuteMs,
      headersMs: minuteMs,
      stillMs: minuteMs,
      workMs: 10 * minuteMs,
    },
  },
});

// The command `migrate` as a process of its own, which starts the upgrade when its parent sends a message: a tracer can
// attach first, and does not slow down the start of the program.
import { once } from 'node:events';
import { run } from '../../src/cli/cli.ts';

// What the command would import later, under the tracer.
await Promise.all([import('../../src/app/open-core.ts'), import('../../src/cli/command/migrate.ts')]);

const asked = once(process, 'message');
process.send?.('ready');
await asked;
process.disconnect();
await run(['node', 'bienvenue', 'migrate'], { environment: process.env });

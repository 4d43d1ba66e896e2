// The command `migrate` as a process of its own, which starts the upgrade when its parent sends a message: a tracer can
// attach first, and does not slow down the start of the program.
import { run } from '../../src/cli/cli.ts';

// What the command would import later, under the tracer.
await Promise.all([import('../../src/app/open-core.ts'), import('../../src/cli/command/migrate.ts')]);

process.once('message', () => {
  process.disconnect();
  void run(['node', 'bienvenue', 'migrate'], { environment: process.env });
});
process.send?.('ready');

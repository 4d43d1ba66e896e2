// An instance of the service as a process of its own. It answers requests that its parent sends as messages, and dies at
// the step of its database that a message names.
import { StepDatabase, type Countdown } from '../../../../test/faults/step-database.ts';
import { send, type ContractRequest } from '../../../../test/support/request.ts';
import { serviceOn } from '../../../../test/support/service.ts';

/** A message of the parent. */
export interface DeadlyRequest {
  readonly request: ContractRequest;
  /** Step of the database at which the process dies; 0 if it lives. */
  readonly dieAt: number;
}

// Nothing runs after it, as after a power failure.
const countdown: Countdown = { steps: 0, act: () => void process.kill(process.pid, 'SIGKILL') };
const { DEADLY_URL: url = '', DEADLY_PORT: port = '' } = process.env;
const service = await serviceOn(
  { url, clock: { now: Date.now, advance: () => {} } },
  { PORT: port },
  { watchDatabase: (database) => new StepDatabase(database, countdown) },
);
process.on('message', (message: DeadlyRequest) => void answer(message));
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function answer({ request, dieAt }: DeadlyRequest): Promise<void> {
  countdown.steps = dieAt;
  const reply = await send(service.app, request);
  countdown.steps = 0;
  process.send?.(reply);
}

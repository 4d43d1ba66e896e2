// An SMTP server that accepts every mail and stores none; on request it hangs: it does not answer MAIL and keeps the
// connection open. It is a process of its own, so that only the sender is measured, and is controlled over the channel
// of fork.
import { SMTPServer } from 'smtp-server';
import type { AddressInfo } from 'node:net';
import type { MailServerOrder, MailServerReport } from '../support/mail-server.ts';

/** Callbacks of clients that wait for an answer. */
const waiting: (() => void)[] = [];
let isHanging = false;
let taken = 0;
/** Unix milliseconds at which the first and the last mail since the last reset were accepted. */
let firstAt = 0;
let lastAt = 0;

function take(): void {
  lastAt = performance.timeOrigin + performance.now();
  if (taken === 0) firstAt = lastAt;
  taken += 1;
}

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS', 'AUTH'],
  logger: false,
  onMailFrom: (_address, _session, done) => void (isHanging ? waiting.push(done) : done()),
  onData: (stream, _session, done) => {
    stream.resume().once('end', () => {
      take();
      done();
    });
  },
});
server.on('error', () => {}); // a client that is stopped closes its connection
server.listen(0, '127.0.0.1', () => {
  const { port } = server.server.address() as AddressInfo; // listening on TCP
  process.send?.({ port });
});

process.on('message', (order: MailServerOrder) => {
  if (order === 'report') {
    const cpu = process.cpuUsage();
    const cpuSeconds = (cpu.user + cpu.system) / 1e6;
    process.send?.({ taken, firstAt, lastAt, cpuSeconds } satisfies MailServerReport);
    return;
  }
  isHanging = order === 'hang';
  taken = 0;
  if (!isHanging) for (const resume of waiting.splice(0)) resume();
});
process.once('disconnect', () => process.exit());

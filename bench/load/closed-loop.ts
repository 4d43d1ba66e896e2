// Closed loop: each connection sends its next request when it has received the reply.
import { setTimeout as wait } from 'node:timers/promises';
import { cpuSeconds } from '../support/process-facts.ts';
import { Connection, faultOf, type Reply } from './connection.ts';
import type { ClosedPlan, LoadResult, PlannedRequest } from './plan.ts';
import { Recorder } from './recorder.ts';

/** A prime, so that neighbors in the list are not requested one after the other. */
const step = 7919;

export class ClosedLoop {
  readonly #plan: ClosedPlan;
  readonly #over = new AbortController();
  #recorder = new Recorder();
  #fault: string | undefined;
  #sent = 0;

  constructor(plan: ClosedPlan) {
    this.#plan = plan;
  }

  /** Runs until the time is over or the signal aborts it. */
  async run(stopped: AbortSignal): Promise<LoadResult> {
    const { pid, connections: count } = this.#plan;
    const patience = AbortSignal.any([this.#over.signal, stopped]);
    const pause = (seconds: number): Promise<void> =>
      wait(seconds * 1000, undefined, { signal: patience }).catch(() => {}); // an aborted run has ended too
    const connections = Array.from({ length: count }, (_, place) => this.#open(place));
    await pause(this.#plan.warmUpSeconds);
    this.#recorder = new Recorder(); // replies during the warm-up do not count
    const begin = { at: performance.now(), server: cpuSeconds(pid), own: process.cpuUsage() };
    await pause(this.#plan.seconds);
    const seconds = (performance.now() - begin.at) / 1000;
    const own = process.cpuUsage(begin.own);
    const serverCpu = cpuSeconds(pid) - begin.server;
    this.#over.abort();
    for (const connection of connections) connection.close();
    if (this.#fault !== undefined) throw new Error(this.#fault);
    return { ...this.#recorder.summary(), seconds, serverCpu, generatorCpu: (own.user + own.system) / 1e6 };
  }

  #open(place: number): Connection {
    const { port, addresses = 0 } = this.#plan;
    const connection = new Connection({
      port,
      ...(addresses > 0 && { localAddress: `127.0.0.${2 + (place % addresses)}` }),
      onReply: (self, reply) => this.#take(self, reply),
      onEnd: (_self, reason) => this.#fail(reason),
    });
    this.#sendNext(connection);
    return connection;
  }

  #take(connection: Connection, reply: Reply): void {
    const { request } = connection;
    if (this.#over.signal.aborted || request === undefined) return;
    const wrong = faultOf(request, reply);
    if (wrong !== undefined) return this.#fail(wrong);
    this.#recorder.add(reply.status, performance.now() - connection.sentAt);
    this.#sendNext(connection);
  }

  #sendNext(connection: Connection): void {
    const request = this.#nextRequest();
    if (request !== undefined) connection.send(request, performance.now());
    else this.#fail(`All ${this.#plan.requests.length} requests were sent before the time was up`);
  }

  #nextRequest(): PlannedRequest | undefined {
    const { requests, once = false } = this.#plan;
    const place = once ? this.#sent : (this.#sent * step) % requests.length;
    this.#sent += 1;
    return requests[place];
  }

  #fail(reason: string): void {
    if (this.#over.signal.aborted) return;
    this.#fault = reason;
    this.#over.abort();
  }
}

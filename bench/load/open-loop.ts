// Open loop. A request that is due while all connections are busy opens a new one, as a new visitor would; latency
// counts from the time at which the request was due, so that a pause of the server shows.
import { setTimeout as wait } from 'node:timers/promises';
import { cpuSeconds } from '../support/process-facts.ts';
import { latenciesOf } from '../support/statistics.ts';
import { Connection, faultOf, type Reply } from './connection.ts';
import type { LoadResult, OpenPlan } from './plan.ts';
import { Recorder } from './recorder.ts';
import { startTicker } from './ticker.ts';

/** Maximum of requests in progress; further ones wait here, and the wait counts as latency. */
const maxConnections = 500;
const step = 7919;
/** How long connecting and the last replies may take. */
const connectMs = 200;
const lastRepliesMs = 20_000;

export class OpenLoop {
  readonly #plan: OpenPlan;
  readonly #recorder = new Recorder();
  /** How late the generator itself was with each request. */
  readonly #lateness: number[] = [];
  readonly #samples: [due: number, latency: number][] = [];
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  /** When the requests without a connection were due. */
  readonly #waiting: number[] = [];
  #fault: string | undefined;
  #ended = false;

  constructor(plan: OpenPlan) {
    this.#plan = plan;
  }

  /** Runs to its end. */
  async run(): Promise<LoadResult> {
    const { connections, perSecond, seconds, pid } = this.#plan;
    for (let i = 0; i < connections; i += 1) this.#idle.push(this.#open());
    await wait(connectMs);
    const begin = { server: cpuSeconds(pid), own: process.cpuUsage() };
    const total = Math.floor(seconds * perSecond);
    await startTicker({ total, intervalMs: 1000 / perSecond }, (dueAt) => this.#send(dueAt));
    const serverCpu = cpuSeconds(pid) - begin.server;
    const own = process.cpuUsage(begin.own);
    await this.#lastReplies(total);
    this.#ended = true;
    for (const connection of this.#all) connection.close();
    if (this.#fault !== undefined) throw new Error(this.#fault);
    const lateness = latenciesOf(this.#lateness);
    const generatorCpu = (own.user + own.system) / 1e6;
    return {
      ...this.#recorder.summary(),
      seconds,
      serverCpu,
      generatorCpu,
      lateness,
      samples: this.#samples,
    };
  }

  #send(dueAt: number): void {
    const connection = this.#idle.pop() ?? (this.#all.size < maxConnections ? this.#open() : undefined);
    if (connection === undefined) this.#waiting.push(dueAt);
    else this.#sendOn(connection, dueAt);
  }

  #sendOn(connection: Connection, dueAt: number): void {
    const { requests } = this.#plan;
    const request = requests[(this.#lateness.length * step) % requests.length];
    if (request === undefined) return;
    this.#lateness.push(performance.now() - dueAt);
    connection.send(request, dueAt);
  }

  #open(): Connection {
    const connection = new Connection({
      port: this.#plan.port,
      onReply: (self, reply) => this.#take(self, reply),
      onEnd: (self, reason) => this.#lose(self, reason),
    });
    this.#all.add(connection);
    return connection;
  }

  #take(connection: Connection, reply: Reply): void {
    const { request } = connection;
    if (request === undefined) return; // a 408 to a connection that was idle for long: the server closes it
    const latency = performance.now() - connection.dueAt;
    this.#fault ??= faultOf(request, reply);
    connection.request = undefined;
    this.#recorder.add(reply.status, latency);
    this.#samples.push([performance.timeOrigin + connection.dueAt, latency]);
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else this.#sendOn(connection, next);
  }

  /** The server may close an idle connection, but none with a request in progress. */
  #lose(connection: Connection, reason: string): void {
    this.#all.delete(connection);
    const place = this.#idle.indexOf(connection);
    if (place >= 0) this.#idle.splice(place, 1);
    if (connection.request !== undefined && !this.#ended) this.#fault ??= reason;
  }

  async #lastReplies(total: number): Promise<void> {
    const until = performance.now() + lastRepliesMs;
    while (this.#recorder.replies < total) {
      if (this.#fault !== undefined) return;
      if (performance.now() > until)
        this.#fault = `${total - this.#recorder.replies} requests were never answered`;
      await wait(5);
    }
  }
}

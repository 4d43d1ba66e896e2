import { latenciesOf, type Latencies } from '../support/statistics.ts';

/** Latencies by status. Arrays of numbers, because an object for each reply would cost more than reading it. */
export class Recorder {
  readonly #byStatus = new Map<number, number[]>();

  add(status: number, milliseconds: number): void {
    let list = this.#byStatus.get(status);
    if (list === undefined) this.#byStatus.set(status, (list = []));
    list.push(milliseconds);
  }

  get replies(): number {
    return [...this.#byStatus.values()].reduce((sum, list) => sum + list.length, 0);
  }

  summary(): {
    replies: number;
    statuses: Record<string, number>;
    latencies: Latencies;
    latenciesByStatus: Record<string, Latencies>;
  } {
    const lists = [...this.#byStatus];
    return {
      replies: this.replies,
      statuses: Object.fromEntries(lists.map(([status, list]) => [status, list.length])),
      latencies: latenciesOf(lists.flatMap(([, list]) => list)),
      latenciesByStatus: Object.fromEntries(lists.map(([status, list]) => [status, latenciesOf(list)])),
    };
  }
}

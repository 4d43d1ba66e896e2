// Slows down a device that asks too often whether its user has answered (RFC 8628 §3.5).
import { secondMs, type Clock } from '../../../kit/clock.ts';

/** What is stored of the request of a device. */
export interface DeviceInfo {
  /** Network address from which it asked. */
  readonly address?: string | undefined;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Seconds between two requests (`interval`). */
export const pollSeconds = 5;
const maxDevices = 10_000;

export class DevicePolls {
  readonly #clock: Clock;
  readonly #lastAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a request of a device; returns true if it came too early. @param id Key of the device code. */
  isEarly(id: string): boolean {
    const now = this.#clock();
    const last = this.#lastAt.get(id);
    this.#lastAt.delete(id);
    this.#lastAt.set(id, now);
    const [oldest] = this.#lastAt.keys();
    if (this.#lastAt.size > maxDevices && oldest !== undefined) this.#lastAt.delete(oldest);
    return last !== undefined && now < last + pollSeconds * secondMs;
  }
}

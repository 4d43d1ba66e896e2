// Delays rejections during a flood. An attacker sends the next request after the last answer, so an immediate answer
// brings the next request immediately, and other users have to wait. A delayed answer costs only a timer and slows the
// flood down.
import { secondMs, systemClock, type Clock } from '../../kit/clock.ts';
import type { Problem } from '../../kit/problem.ts';

/** Number of rejections per second that are sent immediately: more than normal use causes. */
const promptPerSecond = 200;
/** Delay of further rejections, so that they are still sent within 100 ms. */
const delayMs = 75;

export class RejectionThrottle {
  readonly #clock: Clock;
  #second = 0;
  #count = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Passes the problem to the `done` of a hook, delayed during a flood. */
  refuse(done: (problem: Problem) => void, problem: Problem): void {
    const second = Math.floor(this.#clock() / secondMs);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= promptPerSecond) done(problem);
    else setTimeout(done, delayMs, problem);
  }
}

// How fast a flood is refused. Whoever floods sends the next request when the last one was answered, so an answer at once
// brings the next one at once, and those who are signed in wait behind it. A refusal that comes a moment later costs us a
// timer, and the flood most of its speed.
import { secondMs, systemClock, type Clock } from '../kit/clock.ts';
import type { Problem } from '../kit/problem.ts';

/** Refusals in a second that are answered at once: more than people cause. */
const promptPerSecond = 200;
/** How long one waits beyond them. A refusal shall still come within 100 ms. */
const pauseMs = 75;

export class RejectionThrottle {
  readonly #clock: Clock;
  #second = 0;
  #count = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Hands the problem to a hook's `done`, in a flood a moment later. */
  refuse(done: (problem: Problem) => void, problem: Problem): void {
    const second = Math.floor(this.#clock() / secondMs);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= promptPerSecond) done(problem);
    else setTimeout(done, pauseMs, problem);
  }
}

// Checks passwords against a breach database without disclosing them (k-anonymity): the request holds the first five
// hex digits of the SHA-1 digest, which some thousand breached passwords share (range API of Pwned Passwords,
// https://haveibeenpwned.com/API/v3#PwnedPasswords). SHA-1 only names the password in that list; it protects nothing.
// If the service fails, the password is accepted.
import { hash } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import { secondMs } from '../../kit/clock.ts';
import { LogThrottle } from '../../kit/log-throttle.ts';
import type { Log } from '../../kit/log.ts';
import type { PasswordCheck } from '../../user/password-rule.ts';

export interface BreachCheckOptions {
  /** URL to which a slash and the five digits are appended. */
  readonly url: URL;
  readonly clock: Clock;
  readonly log: Log;
}

const prefixDigits = 5;
/** Short, because a user is waiting; a failed check does not reject the password. */
const timeoutMs = 2 * secondMs;
/** Answers have some 2,000 lines of 40 characters; this is ten times as many. */
const maxCharacters = 1_000_000;

/** 35 hex digits and the number of occurrences; 0 marks padding. */
const line = /^(?<suffix>[0-9A-F]{35}):(?<count>\d+)$/i;

export class BreachCheck implements PasswordCheck {
  readonly finds = 'breached';
  readonly #base: string;
  readonly #log: Log;
  readonly #logThrottle: LogThrottle;

  constructor({ url, clock, log }: BreachCheckOptions) {
    this.#base = url.href.replace(/\/+$/, '');
    this.#log = log;
    this.#logThrottle = new LogThrottle(clock);
  }

  /** `undefined` also if the service failed. */
  async reasonAgainst(password: string): Promise<string | undefined> {
    const digest = hash('sha1', password, 'hex').toUpperCase();
    try {
      const answer = await this.#ask(digest.slice(0, prefixDigits));
      return isListed(answer, digest.slice(prefixDigits))
        ? 'was found in a data breach, so it is among the first to be tried'
        : undefined;
    } catch (error) {
      this.#logFailure(error);
      return undefined;
    }
  }

  async #ask(prefix: string): Promise<string> {
    // Padding makes all answers about equally long, so that an eavesdropper cannot infer the prefix from the length.
    const headers = { 'add-padding': 'true', 'user-agent': 'Bienvenue', accept: 'text/plain' };
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(`${this.#base}/${prefix}`, { headers, signal, redirect: 'error' });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`The service answered with status ${response.status}`);
    }
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.length > maxCharacters)
        throw new Error(`The response is longer than ${maxCharacters} characters`);
    }
    return text;
  }

  #logFailure(error: unknown): void {
    const count = this.#logThrottle.take('outage');
    if (count === 0) return;
    this.#log.warn(
      { err: error, url: this.#base, count },
      'Passwords are accepted without a breach check: BREACH_CHECK_URL does not answer correctly',
    );
  }
}

/** @throws {Error} if the answer has another format, so that it proves nothing about the password. */
function isListed(answer: string, suffix: string): boolean {
  const rows = answer.split('\n').map((row) => line.exec(row.trim())?.groups);
  if (!rows.some((row) => row !== undefined))
    throw new Error('The response contains no line with a hash and a count');
  return rows.some((row) => row?.['suffix']?.toUpperCase() === suffix && Number(row['count']) > 0);
}

// Asks a service for breached passwords without telling it the password: by k-anonymity, with the first five hex digits
// of its SHA-1, which some thousand breached passwords share (the range API of Pwned Passwords,
// https://haveibeenpwned.com/API/v3#PwnedPasswords). SHA-1 names the password in that list; it protects nothing.
// The service is a help and no guard: when it fails, the password is taken.
import { hash } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import { minuteMs, secondMs } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { PasswordCheck } from '../../user/password-rule.ts';

export interface BreachCheckOptions {
  /** What the five digits are put behind, with a slash. */
  readonly url: URL;
  readonly clock: Clock;
  readonly log: Log;
}

const prefixDigits = 5;
/** Somebody waits for the answer; a failed check costs nobody more. */
const timeoutMs = 2 * secondMs;
/** Answers have some 2,000 lines of 40 characters; this is ten times as much. */
const maxCharacters = 1_000_000;
/** An outage is told once in this time, not once per registration. */
const tellMs = 10 * minuteMs;

/** 35 hex digits and how often it was seen; 0 is padding. */
const line = /^(?<suffix>[0-9A-F]{35}):(?<count>\d+)$/i;

export class BreachCheck implements PasswordCheck {
  readonly finds = 'breached';
  readonly #base: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ url, clock, log }: BreachCheckOptions) {
    this.#base = url.href.replace(/\/+$/, '');
    this.#clock = clock;
    this.#log = log;
  }

  /** `undefined` also when nobody could say. */
  async reasonAgainst(password: string): Promise<string | undefined> {
    const digest = hash('sha1', password, 'hex').toUpperCase();
    try {
      const answer = await this.#ask(digest.slice(0, prefixDigits));
      return isListed(answer, digest.slice(prefixDigits))
        ? 'was found in a data breach, so it is among the first to be tried'
        : undefined;
    } catch (error) {
      this.#tell(error);
      return undefined;
    }
  }

  async #ask(prefix: string): Promise<string> {
    // Padding makes all answers about equally long, so that their length does not tell the prefix to an onlooker.
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

  #tell(error: unknown): void {
    const now = this.#clock();
    if (now - this.#toldAt < tellMs) return;
    this.#toldAt = now;
    this.#log.warn(
      { err: error, url: this.#base },
      'Passwords are accepted without a breach check: BREACH_CHECK_URL does not answer correctly',
    );
  }
}

/** @throws {Error} for an answer of another kind, which says nothing about the password. */
function isListed(answer: string, suffix: string): boolean {
  const rows = answer.split('\n').map((row) => line.exec(row.trim())?.groups);
  if (!rows.some((row) => row !== undefined))
    throw new Error('The response contains no line with a hash and a count');
  return rows.some((row) => row?.['suffix']?.toUpperCase() === suffix && Number(row['count']) > 0);
}

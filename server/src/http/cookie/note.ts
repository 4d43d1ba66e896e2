// Keeps what a page has to show after a redirect: why a form was refused, and what was typed into it. The note travels in
// an encrypted cookie; the address of the page names it, so that a reload, the back button and another language show the
// same page. A form that has to wait for a sign-in has a cookie of its own, which refusals on the way do not replace.
import type { FastifyReply } from 'fastify';
import { minuteMs, secondMs, type Clock } from '../../kit/clock.ts';
import { generateUuid } from '../../kit/id.ts';
import { Problem, findProblem, type FaultReason, type ProblemCode } from '../../kit/problem.ts';
import type { TextCipher } from '../../kit/keyring.ts';
import type { CookieScope } from './cookie.ts';
import { Results } from './result.ts';
import { SealedCookie } from './sealed-cookie.ts';

/** A refused form. */
export interface Refusal {
  /** With the seconds that are left now. */
  readonly problem: Problem;
  /** Values of the fields that may be shown again; never a password. */
  readonly typed: Readonly<Record<string, string>>;
}

/** What the address of a page names. */
interface Note {
  /** Absent if the form was not sent yet. */
  readonly problem?: Problem;
  readonly typed: Readonly<Record<string, string>>;
}

export interface NotesOptions {
  readonly cipher: TextCipher;
  readonly clock: Clock;
  readonly scope: CookieScope;
}

/** Time for which a refusal is shown again. */
const lifeMs = 15 * minuteMs;
const noteBytes = 1536;
/** Longest value that is shown again. */
const valueCharacters = 320;

/** A note as it is stored. */
interface StoredNote {
  readonly code: string;
  readonly faults: readonly (readonly [field: string, reason: FaultReason | undefined])[];
  /** Unix milliseconds from which on the form may be sent again. */
  readonly retryAt?: number | undefined;
  readonly typed: Readonly<Record<string, string>>;
  readonly expiresAt: number;
}

/** What was typed into a form that was not sent yet, as it is stored. */
type StoredForm = Pick<StoredNote, 'typed' | 'expiresAt'>;

/** Writes and reads notes. */
export class Notes {
  readonly #clock: Clock;
  readonly #cookie: SealedCookie<StoredNote>;
  readonly #unsent: SealedCookie<StoredForm>;
  /** What the last form did. */
  readonly results: Results;

  constructor({ clock, ...options }: NotesOptions) {
    this.#clock = clock;
    this.#cookie = new SealedCookie({ name: 'note', bytes: noteBytes, lifeMs, ...options });
    this.results = new Results(options.scope);
    this.#unsent = new SealedCookie({ name: 'unsent', bytes: noteBytes, lifeMs, ...options });
  }

  /** Sets the cookie of a refusal, which replaces an earlier one, and returns the id for the address of the page. */
  leave(reply: FastifyReply, { problem, typed }: Refusal): string {
    const id = generateUuid();
    const now = this.#clock();
    const { code, fields, retryAfterSeconds: wait } = problem;
    const note: StoredNote = {
      code,
      faults: fields.map(({ field, reason }) => [field, reason]),
      ...(wait !== undefined && { retryAt: now + wait * secondMs }),
      typed: shortValues(typed),
      expiresAt: now + lifeMs,
    };
    this.#cookie.seal(reply, this.#cookie.fits(note, id) ? note : { ...note, typed: {} }, id);
    return id;
  }

  /** As `leave`, for a form that the user has to send again, for example after signing in. */
  keep(reply: FastifyReply, typed: Refusal['typed']): string {
    const id = generateUuid();
    const form = { typed: shortValues(typed), expiresAt: this.#clock() + lifeMs };
    this.#unsent.seal(reply, this.#unsent.fits(form, id) ? form : { ...form, typed: {} }, id);
    return id;
  }

  /** Returns the note with this id; `undefined` if the browser has no such note, or it has expired. */
  read(header: string | undefined, id: string): Note | undefined {
    const unsent = this.#unsent.open(header, id);
    const now = this.#clock();
    if (unsent !== undefined) return now < unsent.expiresAt ? { typed: unsent.typed } : undefined;
    const note = this.#cookie.open(header, id);
    if (note === undefined || now >= note.expiresAt || findProblem(note.code) === undefined) return undefined;
    const { code, faults, retryAt, typed } = note;
    const problem = new Problem(code as ProblemCode, {
      fields: faults.map(([field, reason]) => ({
        field,
        message: 'is not valid',
        ...(reason !== undefined && { reason }),
      })),
      ...(retryAt !== undefined && { retryAfterSeconds: Math.max(0, Math.ceil((retryAt - now) / secondMs)) }),
    });
    return { problem, typed };
  }
}

function shortValues(typed: Refusal['typed']): Refusal['typed'] {
  return Object.fromEntries(Object.entries(typed).filter(([, value]) => value.length <= valueCharacters));
}

// The problems that the service reports: a stable code for programs, a status and a public title. Each module defines its
// own codes in a file `problem.ts`; the codes that any module may use are defined here.

/** Definition of a problem code. */
export interface ProblemRow {
  /** HTTP status of the reply. */
  readonly status: number;
  /** Public sentence, without a full stop. It may be reworded; the code may not change. */
  readonly title: string;
}

/** A row with the module that defined it. */
export interface DefinedProblem extends ProblemRow {
  readonly owner: string;
}

const registry = new Map<string, DefinedProblem>();

/**
 * Defines the problem codes of a module. Call it once, at the top level of the module's `problem.ts`, and add the codes
 * to {@link ProblemCodes} by declaration merging.
 * @throws {Error} if a code is already defined.
 */
export function defineProblems<Code extends string>(
  owner: string,
  rows: Readonly<Record<Code, ProblemRow>>,
): Readonly<Record<Code, ProblemRow>> {
  for (const [code, row] of Object.entries<ProblemRow>(rows)) {
    const earlier = registry.get(code);
    if (earlier !== undefined)
      throw new Error(`The problem code ${code} is defined by ${earlier.owner} and by ${owner}`);
    registry.set(code, { ...row, owner });
  }
  return rows;
}

/** Returns the definition of a code; `undefined` if no loaded module defines it. */
export function findProblem(code: string): DefinedProblem | undefined {
  return registry.get(code);
}

/**
 * Returns the definition of a code.
 * @throws {Error} if the module that owns the code is not loaded: import its `problem.ts` where the code is used.
 */
export function getProblem(code: ProblemCode): DefinedProblem {
  const row = registry.get(code);
  if (row === undefined) throw new Error(`The problem code ${code} is not defined`);
  return row;
}

/** Returns the codes that the loaded modules define, in alphabetical order. */
export function problemCodes(): ProblemCode[] {
  return [...registry.keys()].toSorted() as ProblemCode[]; // the compiler holds each definition to the type
}

/** Codes that any module may use. */
const kitProblems = defineProblems('kit', {
  invalid_request: { status: 400, title: 'The request is invalid' },
  not_found: { status: 404, title: 'The requested resource does not exist' },
  too_many_requests: { status: 429, title: 'Too many requests; try again later' },
  too_busy: { status: 503, title: 'The service is too busy; try again shortly' },
  unavailable: { status: 503, title: 'The service is temporarily unavailable; try again shortly' },
  internal_error: { status: 500, title: 'An internal error occurred' },
});

/**
 * All problem codes, as keys. Modules add theirs by declaration merging.
 * @public
 */
export interface ProblemCodes extends Record<keyof typeof kitProblems, ProblemRow> {}

/** Stable code of a problem. */
export type ProblemCode = keyof ProblemCodes;

/** What is wrong with one field of a request. */
export interface FieldFault {
  /** Name of the field on the wire. */
  readonly field: string;
  /** English predicate of the field: "is empty". */
  readonly message: string;
  /** Selects the message on a page, in the language of the user. Not sent. */
  readonly reason?: FaultReason;
}

/** Stable name of a fault of a field. */
export type FaultReason =
  | 'empty'
  | 'no_text'
  | 'too_long'
  | 'too_short'
  | 'guessable'
  | 'breached'
  | 'no_email'
  | 'no_https'
  | 'disposable'
  | 'same_email'
  | 'registered_already'
  | 'too_many';

/** Details of a problem. */
export interface ProblemDetails extends ErrorOptions {
  /** Private message for logs and library callers; never sent. Defaults to the title. */
  readonly message?: string;
  /** Invalid fields, for `invalid_request`. Sent. */
  readonly fields?: readonly FieldFault[];
  /** Seconds after which the client may retry. Sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Accepted factors and their maximum age, for `step_up_required`. Sent. */
  readonly requirement?: FactorRequirement;
}

/** Authentication that a request requires (RFC 9470 §3). */
export interface FactorRequirement {
  /** Names of the accepted factors; one of them suffices. */
  readonly factors: readonly string[];
  /** `undefined` if a factor of any age in the session suffices. */
  readonly maxAgeSeconds?: number | undefined;
  /** Name of the required authentication, if the request named one: `second`, or the name of a factor. */
  readonly acr?: string | undefined;
}

/**
 * An error that is reported to the client by its code. Any other thrown error is a bug or a fault of the system, and is
 * answered with status 500 without details.
 */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly fields: readonly FieldFault[];
  readonly retryAfterSeconds: number | undefined;
  readonly requirement: FactorRequirement | undefined;

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(
      details.message ?? getProblem(code).title,
      details.cause === undefined ? {} : { cause: details.cause },
    );
    this.name = 'Problem';
    this.code = code;
    this.fields = details.fields ?? [];
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.requirement = details.requirement;
  }
}

/**
 * Creates the problem of one invalid field.
 * @param message English predicate of the field: "is empty".
 */
export function fieldProblem(field: string, message: string, reason?: FaultReason): Problem {
  return new Problem('invalid_request', {
    message: `${field} ${message}`,
    fields: [{ field, message, ...(reason !== undefined && { reason }) }],
  });
}

/** Returns whether an error is a problem with the given code. */
export function isProblem(error: unknown, code: ProblemCode): error is Problem {
  return error instanceof Problem && error.code === code;
}

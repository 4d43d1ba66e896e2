// What may be refused, under which stable code, and with which public sentence. The one table of refusals:
// http/problem-handler.ts gives each code its status, docs/reference/problems.md is generated from both.

/** Public sentence of each problem code. The code is the stable name; the sentence may be reworded. */
export const problemSentences = {
  invalid_request: 'The request is invalid',
  email_taken: 'email already registered',
  invalid_credentials: 'The email or password is wrong',
  password_wrong: 'The current password is wrong',
  session_required: 'A valid session is required',
  sign_in_required: 'Sign-in is required',
  pending_authentication_required:
    'A pending authentication is required; sign in with the first factor and send the second one within ten minutes',
  factor_invalid: 'The code or passkey is wrong, already used or expired',
  same_browser_required: 'Confirm in the browser in which you registered, or enter the emailed code there',
  step_up_required: 'Recent authentication is required',
  last_factor:
    'This is the only way to sign in, or the only second factor where one is required; add another first',
  unknown_email: 'No account has this email',
  change_pending:
    'The email was changed recently; it cannot be changed again while that change can still be undone',
  token_invalid: 'The token is unknown, already used, expired, or issued for another account',
  too_many_attempts: 'Too many attempts; try again later or reset the password',
  too_many_requests: 'Too many requests; try again later',
  cross_site: 'Requests from pages of other sites are not allowed',
  not_found: 'The requested resource does not exist',
  method_not_allowed: 'This resource does not support the request method',
  request_timeout: 'The request was not completed in time',
  body_too_large: 'The request body is too large',
  headers_too_large: 'The request headers are too large',
  unsupported_media_type: 'The content type must be a form, multipart or JSON',
  too_busy: 'The service is too busy; try again shortly',
  unavailable: 'The service is temporarily unavailable; try again shortly',
  internal_error: 'An internal error occurred',
} as const satisfies Record<string, string>;

/** Stable code of a refusal. */
export type ProblemCode = keyof typeof problemSentences;

/** One refused field of a request, by its name on the wire. */
export interface FieldFault {
  readonly field: string;
  readonly message: string;
  /** By which a page says it in the language of its reader; not sent. */
  readonly reason?: FaultReason;
}

/** What is wrong with a field, as a stable word. */
export type FaultReason =
  | 'empty'
  | 'no_text'
  | 'too_long'
  | 'too_short'
  | 'guessable'
  | 'breached'
  | 'no_email'
  | 'disposable'
  | 'same_email'
  | 'registered_already'
  | 'too_many';

/** What may accompany a problem's code. */
export interface ProblemDetails extends ErrorOptions {
  /** Private message for logs and library callers; never sent. Defaults to the public sentence. */
  readonly message?: string;
  /** Fields at fault, for `invalid_request`. Sent. */
  readonly fields?: readonly FieldFault[];
  /** Seconds after which a repeat may succeed. Sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Which factors would do, and how old they may be, for `step_up_required`. Sent. */
  readonly demand?: FactorRequirement;
}

/** What is asked of whoever is signed in (RFC 9470 §3). */
export interface FactorRequirement {
  /** Names of the factors of which one is enough. */
  readonly factors: readonly string[];
  readonly maxAgeSeconds: number;
}

/**
 * A refusal: "you may not" or "cannot". Carries a code, not a status, so that the rules know no HTTP.
 * Anything else that is thrown is a bug or a fault and becomes a 500 without detail.
 */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly fields: readonly FieldFault[];
  readonly retryAfterSeconds: number | undefined;
  readonly demand: FactorRequirement | undefined;

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(
      details.message ?? problemSentences[code],
      details.cause === undefined ? {} : { cause: details.cause },
    );
    this.name = 'Problem';
    this.code = code;
    this.fields = details.fields ?? [];
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.demand = details.demand;
  }
}

/** Makes the problem of one bad field. */
export function fieldProblem(field: string, message: string, reason?: FaultReason): Problem {
  return new Problem('invalid_request', {
    message: `${field} ${message}`,
    fields: [{ field, message, ...(reason !== undefined && { reason }) }],
  });
}

/** True for a problem with the given code: the only way in which a caller tells refusals apart. */
export function isProblem(error: unknown, code: ProblemCode): error is Problem {
  return error instanceof Problem && error.code === code;
}

// Validates the details of a user: name, picture, identifiers of other systems and metadata.
import { fieldProblem } from '../kit/problem.ts';
import { maxNameUnits } from '../kit/text/text-length.ts';

/** A JSON object of an application. The service stores it and gives it no meaning. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What applications store about a user. Users read the public object; only back ends and the operator read the other. */
export interface Metadata {
  readonly publicMetadata: JsonObject;
  readonly privateMetadata: JsonObject;
}

export const noMetadata: Metadata = { publicMetadata: {}, privateMetadata: {} };

/** New details, validated. A missing member stays as it is; null empties it. */
export interface DetailsChange {
  readonly name?: string | null;
  readonly picture?: string | null;
  readonly externalId?: string | null;
  readonly publicMetadata?: JsonObject | null;
  readonly privateMetadata?: JsonObject | null;
}

/** Code points of the longest name and external id. */
const nameLength = 200;
const externalIdLength = 200;
/** Characters of the longest URL of a picture. */
const pictureLength = 2000;
/** Octets of the longest JSON text of each metadata object. */
const metadataOctets = 8192;

/**
 * Control characters and line separators, which would end a header or a line of a log, and characters that change the
 * direction of the text behind them, so that a name would rearrange the sentence around it (Unicode TR 36 §2.8; UAX 9:
 * embeddings, overrides and isolates).
 */
const forbidden = /[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;
/** A character that is seen. A name without one would show as nothing. */
const visible = /[^\s\p{C}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * Returns a name in normal form C without surrounding white space; null for empty text, which removes the name.
 * @throws {Problem} invalid_request for the field `name` if it is too long, or contains a character that is not allowed.
 */
export function requireName(text: string): string | null {
  // Checked before it is normalized: the time of normalization grows with the square of its length.
  if (text.length > maxNameUnits) throw fieldProblem('name', 'is too long', 'too_long');
  const name = text.normalize('NFC').trim();
  if (name === '') return null;
  if (Array.from(name).length > nameLength) throw fieldProblem('name', 'is too long', 'too_long');
  if (forbidden.test(name) || !visible.test(name))
    throw fieldProblem(
      'name',
      'contains a character that is not allowed, or nothing that is seen',
      'no_text',
    );
  return name;
}

/**
 * Returns the URL of a picture in normal form; null for empty text, which removes the picture. Pages do not load it.
 * @throws {Problem} invalid_request for the field `picture` if it is no https URL, has a user name or password, or is too
 *   long.
 */
export function requirePicture(text: string): string | null {
  if (text.trim() === '') return null;
  const url = URL.parse(text.trim());
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '')
    throw fieldProblem('picture', 'is not an https URL', 'no_https');
  if (url.href.length > pictureLength) throw fieldProblem('picture', 'is too long', 'too_long');
  return url.href;
}

/**
 * Returns an external id; null for empty text, which removes it. It is compared byte by byte, so it stays as it is.
 * @throws {Problem} invalid_request for the field `external_id` if it is too long, or contains a character that is not
 *   allowed.
 */
export function requireExternalId(text: string): string | null {
  if (text === '') return null;
  if (Array.from(text).length > externalIdLength)
    throw fieldProblem('external_id', 'is too long', 'too_long');
  if (forbidden.test(text)) throw fieldProblem('external_id', 'contains a character that is not allowed');
  return text;
}

/**
 * Returns a subject that another provider has issued.
 * @throws {Problem} invalid_request for the field `subject` unless it has 1 to 255 visible ASCII characters (OpenID
 *   Connect Core 1.0 §2, `sub`).
 */
export function requireSubject(text: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(text))
    throw fieldProblem('subject', 'must have 1 to 255 visible ASCII characters');
  return text;
}

/**
 * Returns a metadata object as JSON has it: without `undefined`, functions and dates.
 * @param field Its name on the wire.
 * @throws {Problem} invalid_request for the field if it is no JSON object, or its text has more than 8192 octets.
 */
export function requireMetadata(field: 'metadata' | 'private_metadata', value: unknown): JsonObject {
  const text = jsonOf(value);
  if (text === undefined || !text.startsWith('{')) throw fieldProblem(field, 'is not a JSON object');
  if (Buffer.byteLength(text) > metadataOctets)
    throw fieldProblem(field, `is longer than ${metadataOctets} bytes of JSON`);
  return JSON.parse(text) as JsonObject; // begins with a brace
}

/** Returns the JSON text of a value; `undefined` if it has none. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // a circle, or a bigint
  }
}

/** Parses a stored metadata object. */
export function parseMetadata(text: string | null): JsonObject {
  return text === null ? {} : (JSON.parse(text) as JsonObject);
}

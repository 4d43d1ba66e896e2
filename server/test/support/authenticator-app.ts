// An authenticator app, written from RFC 6238 and independent of the service: HMAC-SHA-1, steps of 30 s, six digits.
import { createHmac } from 'node:crypto';

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The bytes of a base32 text (RFC 4648 §6). */
export function decodeBase32(text: string): Buffer {
  let bits = '';
  for (const character of text.replaceAll('=', ''))
    bits += base32.indexOf(character).toString(2).padStart(5, '0');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** The code at an instant in Unix milliseconds (RFC 6238 §4.2, RFC 4226 §5.3). */
export function codeAt(secret: Buffer, ms: number, digits = 6): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(ms / 30_000)));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  const value = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(value % 10 ** digits).padStart(digits, '0');
}

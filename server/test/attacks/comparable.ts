// Replies without what differs between any two of them, to compare the replies for two addresses.
import { unescapeMarkup } from '../support/markup.ts';
import type { Reply } from '../support/request.ts';

const withoutNote = (text: string): string => text.replaceAll(/note=[\da-f-]{36}/g, 'note=…');
const withoutValue = (cookie: string): string => cookie.replace(/=[^;]*/, '=…');

/** A reply without the submitted address, the request id, the date, and the values of cookies and challenges. */
export function comparable({ status, headers, text, cookies }: Reply, email: string): object {
  const { date: _date, 'content-length': length, location, ...others } = headers;
  const plain = withoutNote(unescapeMarkup(text))
    .replaceAll(email, '<email>')
    .replaceAll(encodeURIComponent(email), '<email>')
    .replaceAll(/("request_id":|"challenge":|"user":\{"id":)"[^"]*"/g, '$1"…"');
  return {
    status,
    cookies: cookies.map(withoutValue),
    text: plain,
    location: withoutNote(String(location)),
    headers: { ...others, 'set-cookie': [others['set-cookie'] ?? []].flat().map(String).map(withoutValue) },
    isWhole: Number(length) === Buffer.byteLength(text),
  };
}

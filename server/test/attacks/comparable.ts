// Replies without what differs between any two of them, to compare the replies for two addresses.
import { unescapeMarkup } from '../support/markup.ts';
import type { Reply } from '../support/request.ts';

const withoutValue = (cookie: string): string => cookie.replace(/=[^;]*/, '=…');

/** A reply without the submitted address, the request id, the date, and the values of cookies and challenges. */
export function comparable({ status, headers, text, cookies }: Reply, email: string): object {
  const { date: _date, 'content-length': length, ...others } = headers;
  const plain = unescapeMarkup(text)
    .replaceAll(email, '<email>')
    .replaceAll(encodeURIComponent(email), '<email>')
    .replaceAll(/("request_id":|"challenge":|"user":\{"id":)"[^"]*"/g, '$1"…"');
  return {
    status,
    cookies: cookies.map(withoutValue),
    text: plain,
    headers: { ...others, 'set-cookie': [others['set-cookie'] ?? []].flat().map(String).map(withoutValue) },
    isWhole: Number(length) === Buffer.byteLength(text),
  };
}

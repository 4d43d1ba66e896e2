// The requests of a run, as bytes.
import type { PlannedRequest } from './plan.ts';

interface Shape {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly statuses?: readonly number[];
  readonly holds: string;
}

function planRequest({
  method,
  path,
  headers = {},
  body = '',
  statuses = [200],
  holds,
}: Shape): PlannedRequest {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  if (method !== 'GET') lines.push(`Content-Length: ${body.length}`);
  return { text: `${lines.join('\r\n')}\r\n\r\n${body}`, statuses, holds };
}

/** Requests something that only a live session may read. */
export function sessionCheck(path: string, cookie: string, holds: string): PlannedRequest {
  return planRequest({ method: 'GET', path, headers: { Cookie: cookie }, holds });
}

/** Requests a page, or a file of one, as a browser does. */
export function pageView(path: string, cookie: string, holds: string): PlannedRequest {
  const headers = { Accept: 'text/html', ...(cookie !== '' && { Cookie: cookie }) };
  return planRequest({ method: 'GET', path, headers, holds });
}

/** Hashing a password, or 503 if too many requests wait, which happens on a machine with other load. */
const hashedOrBusy = [200, 503];

/** Sends a form whose password is hashed. */
export function postForm(
  path: string,
  fields: Readonly<Record<string, string>>,
  holds: string,
  statuses = hashedOrBusy,
): PlannedRequest {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  return planRequest({
    method: 'POST',
    path,
    headers,
    body: new URLSearchParams(fields).toString(),
    holds,
    statuses,
  });
}

/** Sends JSON whose password is hashed. */
export function postJson(path: string, value: object, holds: string): PlannedRequest {
  return planRequest({
    method: 'POST',
    path,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(value),
    holds,
    statuses: hashedOrBusy,
  });
}

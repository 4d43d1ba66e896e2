// The requests of a run, as they go over the wire.
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

/** Asks for something that only a live session may have. */
export function sessionCheck(path: string, cookie: string, holds: string): PlannedRequest {
  return planRequest({ method: 'GET', path, headers: { Cookie: cookie }, holds });
}

/** Looks at a page, or at a file of one, as a browser does. */
export function pageView(path: string, cookie: string, holds: string): PlannedRequest {
  const headers = { Accept: 'text/html', ...(cookie !== '' && { Cookie: cookie }) };
  return planRequest({ method: 'GET', path, headers, holds });
}

/** A password is hashed, or refused when too many wait: on a machine that is busy with something else that happens. */
const hashedOrBusy = [200, 503];

/** Sends a form, which has a password hashed. */
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

/** Sends JSON, which has a password hashed. */
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

import { defineProblems } from '../kit/problem.ts';

const httpProblems = defineProblems('http', {
  cross_site: {
    status: 403,
    title: 'Requests from pages of other sites are not allowed unless ALLOWED_ORIGINS names them',
  },
  method_not_allowed: {
    status: 405,
    title: 'This resource does not support the request method, only those in the Allow header',
  },
  request_timeout: { status: 408, title: 'The request was not completed in time' },
  body_too_large: { status: 413, title: 'The request body is too large; the maximum is 16 KiB' },
  misdirected_request: {
    status: 421,
    title:
      'The service runs in local mode and answers this machine only; to use a proxy or another host name, set PUBLIC_URL',
  },
  headers_too_large: { status: 431, title: 'The request headers are too large; the maximum is 16 KiB' },
  unsupported_media_type: { status: 415, title: 'The content type must be a form, multipart or JSON' },
});

declare module '../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof httpProblems, ProblemRow> {}
}

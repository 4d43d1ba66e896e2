// The frame of a page: no script, one style sheet of ours, nothing from elsewhere.
import { html } from 'ghtml';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';

export interface Page {
  readonly title: string;
  /** Tag of the language that it is written in. */
  readonly language: string;
  /** Markup whose values are escaped already. */
  readonly body: string;
}

const stylePath = '/style.css';
const policy =
  "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/** Sends a page. */
export function sendPage(reply: FastifyReply, { title, language, body }: Page): FastifyReply {
  return reply
    .header('content-security-policy', policy)
    .type('text/html; charset=utf-8')
    .send(
      html`<!doctype html>
        <html lang="${language}">
          <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width, initial-scale=1" />
            <meta name="color-scheme" content="light dark" />
            <title>${title}</title>
            <link rel="stylesheet" href="${stylePath}" />
          </head>
          <body>
            <main>
              <h1>${title}</h1>
              !${body}
            </main>
          </body>
        </html>`,
    );
}

/** True for a client that shows pages to people. */
export function wantsPage({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') ?? false;
}

const style = `
:root { color-scheme: light dark; --ground: #f4f4f2; --sheet: #fff; --ink: #1c1c1a; --quiet: #62625c; --act: #1a56c4; --line: #85857d; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #161615; --sheet: #232321; --ink: #ececea; --quiet: #a5a59d; --act: #2f6fe0; --line: #85857d; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 8vh 16px 32px; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
main { max-width: 440px; margin: 0 auto; padding: 32px; background: var(--sheet); border-radius: 12px; }
main:has(article) { max-width: 720px; }
h1 { margin: 0 0 16px; font-size: 22px; line-height: 1.3; }
h2 { margin: 0; font-size: 16px; }
p { margin: 0 0 16px; overflow-wrap: anywhere; }
label { display: block; margin-bottom: 16px; font-weight: 600; }
input { display: block; width: 100%; margin-top: 4px; padding: 12px; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: 8px; }
button { padding: 12px 20px; font: inherit; font-weight: 600; color: #fff; background: var(--act);
  border: 0; border-radius: 8px; cursor: pointer; }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
article { padding: 16px 0; border-top: 1px solid var(--line); }
article p { margin: 0; font-size: 14px; color: var(--quiet); }
pre { overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 14px; }
`;

/** The style sheet of all pages. */
export const styleRoutes: FastifyPluginAsyncTypebox = async (scope) => {
  scope.get(
    stylePath,
    { schema: { summary: 'Style sheet of the pages', response: { 200: Type.String() } } },
    async (_request, reply) =>
      reply
        .type('text/css; charset=utf-8')
        .header('cache-control', 'public, max-age=3600')
        .serializer((text: string) => text)
        .send(style),
  );
};

// `/dev/theme` shows the pages that the browser may see, and all mails, in frames: light and dark side by side.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { logoSource } from '../../mail/logo.ts';
import type { Outbox } from '../../mail/outbox.ts';
import type { PageKit } from '../../page/page.ts';
import { framedMail, framedPage, inScheme, partPath, pathOfPart, previewPath, schemes } from './preview.ts';

/** Policy of a frame: no scripts and no forms, in frames of this service only. */
const framePolicy =
  "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; font-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox allow-same-origin";
/** A path without a page: the preview shows the page for it. */
const nowhere = '/nowhere';

const Scheme = Type.Union([Type.Literal('light'), Type.Literal('dark')]);
const Part = Type.Object({ scheme: Scheme, '*': Type.String({ maxLength: 200 }) });
const MailPart = Type.Object({ scheme: Scheme, name: Type.String({ maxLength: 100 }) });

export function previewPages({
  mail,
  pages,
}: {
  readonly mail: Outbox;
  readonly pages: PageKit;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      previewPath,
      { schema: { summary: 'Page: shows every page and mail in the configured look' } },
      async (request, reply) => {
        const t = pages.translate(request);
        const { shown, hidden } = await listPages(scope, pages, request);
        const body = html`<p>${t('page.theme.what')}</p>
          !${
            hidden.length === 0
              ? ''
              : html`<p>
                  ${t('page.theme.hidden')}
                  <a href="/sign-in?return_to=${encodeURIComponent(previewPath)}"
                    >${t('page.theme.sign_in')}</a
                  >
                </p>`
          }
          <h2>${t('page.theme.pages')}</h2>
          !${shown.map((path) => pair(path, 'page'))}
          <h2>${t('page.theme.mails')}</h2>
          !${mail.kinds.map((name) => pair(name, 'mail'))}`;
        return pages.send(request, reply, {
          title: t('page.theme.title'),
          body,
          isWide: true,
          hasFrames: true,
        });
      },
    );

    scope.get(
      `${previewPath}/:scheme/page/*`,
      { schema: { summary: 'Page: one page in a color scheme', params: Part } },
      async (request, reply) => {
        const { scheme, '*': rest } = request.params;
        const path = pathOfPart(rest);
        if (!isPreviewed(pages, path)) throw new Problem('not_found');
        const { payload, isPage } = await load(scope, request, path);
        if (!isPage) throw new Problem('not_found');
        return sendFrame(reply, framedPage(payload, scheme));
      },
    );

    scope.get(
      `${previewPath}/:scheme/mail/:name`,
      { schema: { summary: 'Page: the example of an email in a color scheme', params: MailPart } },
      async (request, reply) => {
        const { scheme, name } = request.params;
        const example = mail.composeExample(name, pages.translate(request).language);
        if (example?.html === undefined) throw new Problem('not_found');
        return sendFrame(reply, framedMail(example.html, scheme, logoSource));
      },
    );

    scope.get(
      `${previewPath}/:scheme/sheet/*`,
      { schema: { summary: 'Page: a style sheet in a color scheme', params: Part } },
      async (request, reply) => {
        const { scheme, '*': rest } = request.params;
        const path = pathOfPart(rest);
        if (!path.endsWith('.css') || !pages.paths.has(path)) throw new Problem('not_found');
        const { payload } = await load(scope, request, path);
        return reply.type('text/css; charset=utf-8').send(inScheme(payload, scheme));
      },
    );
  };
}

/** Returns the markup of a page or mail in both schemes. */
function pair(name: string, kind: 'page' | 'mail'): string {
  const frames = schemes.map(
    (scheme) =>
      html`<iframe
        title="${name} (${scheme})"
        src="${partPath(scheme, kind, name)}"
        width="320"
        height="560"
        loading="lazy"
      ></iframe>`,
  );
  return html`<h3>${name}</h3>
    <p>!${frames}</p>`;
}

/** Whether the preview shows the page at a path: one without parameters, outside of the tools for developers. */
function isPreviewed(pages: PageKit, path: string): boolean {
  if (path === '/' || path === nowhere) return true;
  return pages.paths.has(path) && !/[:*]|^\/dev\/|\.\w+$/.test(path);
}

/** Returns the pages that this browser may see in its state, and those that lead elsewhere. */
async function listPages(
  scope: FastifyInstance,
  pages: PageKit,
  request: FastifyRequest,
): Promise<{ shown: string[]; hidden: string[] }> {
  const shown: string[] = [];
  const hidden: string[] = [];
  for (const path of ['/', ...pages.paths, nowhere].filter((one) => isPreviewed(pages, one))) {
    const { isPage, leadsElsewhere } = await load(scope, request, path);
    if (isPage) shown.push(path);
    if (leadsElsewhere) hidden.push(path);
  }
  return { shown, hidden };
}

interface Loaded {
  readonly payload: string;
  readonly isPage: boolean;
  readonly leadsElsewhere: boolean;
}

/** Requests a path of this service as the browser would, without leaving the process. */
async function load(scope: FastifyInstance, { headers }: FastifyRequest, path: string): Promise<Loaded> {
  const { host = '', cookie = '', 'accept-language': language = '' } = headers;
  const reply = await scope.inject({
    method: 'GET',
    url: path,
    headers: { host, cookie, 'accept-language': language, accept: 'text/html' },
  });
  const isMarkup = String(reply.headers['content-type']).startsWith('text/html');
  return {
    payload: reply.payload,
    isPage: isMarkup && (reply.statusCode === 200 || path === nowhere),
    leadsElsewhere: reply.statusCode === 303,
  };
}

function sendFrame(reply: FastifyReply, markup: string): FastifyReply {
  return reply
    .header('content-security-policy', framePolicy)
    .header('x-frame-options', 'SAMEORIGIN')
    .type('text/html; charset=utf-8')
    .send(markup);
}

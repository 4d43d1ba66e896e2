// Shows the mails that would have been sent, so that trying the service needs no mail server. Exists in local mode
// only.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { handle } from '../../http/fields.ts';
import { logoSource } from '../../mail/logo.ts';
import type { KeptMail } from '../../mail/outbox.ts';
import type { PageKit } from '../../page/page.ts';
import { withTimes } from '../../page/time.ts';
import type { Outbox } from '../../mail/outbox.ts';
import { wantsPage } from '../../http/pages.ts';

export const mailboxPath = '/dev/mailbox';
const maxMails = 100;
/** Path of the logo, which a sent mail would attach. */
const logoPath = '/dev/mailbox/logo';
/** Content policy of a mail's HTML: any styles and the logo, no scripts; links open in another window. */
const mailPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const MailReply = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  to: Type.String(),
  subject: Type.String(),
  text: Type.String(),
  html: Type.String(),
  created_at: Type.Integer({ description: 'Unix milliseconds' }),
});

type KeptMailReply = Type.Static<typeof MailReply>;

export function mailboxRoutes({
  mail: mailbox,
  pages,
}: {
  readonly mail: Outbox;
  readonly pages: PageKit;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      mailboxPath,
      {
        schema: {
          summary: 'Lists the mails of local mode, newest first',
          response: { 200: Type.Object({ mails: Type.Array(MailReply) }) },
        },
      },
      async (request, reply) => {
        const mails = await mailbox.listKept(maxMails);
        if (!wantsPage(request)) return { mails: mails.map(toReply) };
        const t = pages.translate(request);
        const items = mails.map(
          ({ id, recipient, subject, text, createdAt: at }) =>
            html`<article>
              <h2><a href="/dev/mailbox/${id}">${subject}</a></h2>
              <p>!${withTimes(t, 'page.mailbox.to', { at }, 'moment', { recipient })}</p>
              <details>
                <summary>${t('page.mailbox.text')}</summary>
                <pre>!${linked(text)}</pre>
              </details>
            </article>`,
        );
        const body = html`<p>${t('page.mailbox.what')}</p>
          !${items.length === 0 ? html`<p>${t('page.mailbox.empty')}</p>` : items.join('')}`;
        return pages.send(request, reply, { title: t('page.mailbox.title'), body, isWide: true });
      },
    );

    scope.get(
      '/dev/mailbox/:id',
      { schema: { summary: 'Renders a mail', params: Type.Object({ id: handle }) } },
      async (request, reply) => {
        const mail = await mailbox.findKept(request.params.id);
        if (mail === undefined) throw new Problem('not_found');
        return reply
          .header('content-security-policy', mailPolicy)
          .type('text/html; charset=utf-8')
          .send(mail.html.replace(logoSource, `src="${logoPath}"`));
      },
    );

    scope.get(logoPath, { schema: { summary: 'Returns the logo of the mails' } }, async (_request, reply) => {
      const { logo } = mailbox;
      if (logo === undefined) throw new Problem('not_found');
      return reply.type(logo.type).send(logo.content);
    });
  };
}

function toReply({ recipient, createdAt, ...mail }: KeptMail): KeptMailReply {
  return { ...mail, to: recipient, created_at: createdAt };
}

/** Returns the text, escaped, with its links as anchors. Punctuation at the end of a link belongs to the sentence. */
function linked(text: string): string {
  return text
    .split(/(https?:\/\/\S*[^\s.,;:!?)])/)
    .map((part, i) => (i % 2 === 1 ? html`<a href="${part}">${part}</a>` : html`${part}`))
    .join('');
}

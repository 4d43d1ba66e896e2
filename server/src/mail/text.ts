// Composes mails. Each states what happened, when and from where, and what to do if it was not the user. Text and HTML
// are built from the same parts, in the language of the user.
import { html } from 'ghtml';
import { nameDevice } from '../kit/device.ts';
import { ownLanguages, defaultLanguage, type Languages, type MessageValues } from '../kit/language.ts';
import { logoSource, type Logo } from './logo.ts';
import type { Letter } from './mail-kind.ts';
import { buttonStyle, styleSheet } from './style-sheet.ts';

/** A mail before it is sent. */
export interface MailText {
  readonly subject: string;
  readonly text: string;
  /** Absent in a mail that an older release stored. */
  readonly html?: string;
}

/** Name, URL and branding of the service. */
export interface Sender {
  readonly productName: string;
  /** Configured URL of the service; never the host of a request (CWE-640). */
  readonly publicUrl: string;
  /** Color of links, `#rrggbb`. */
  readonly color: string;
  /** Those of the modules by default. */
  readonly languages?: Languages | undefined;
  /** A composed mail only refers to it; its content is added when the mail is sent. */
  readonly logo?: Logo | undefined;
}

/** A part of a mail, before it is formatted as text or HTML. */
interface Part {
  readonly kind: 'paragraph' | 'link' | 'code' | 'note';
  readonly text: string;
  /** URL of a link. */
  readonly href?: string;
}

/** Composes a mail. It takes about 0.1 ms, short enough to run inside the transaction of its cause. */
export function composeMail(sender: Sender, letter: Letter): Required<MailText> {
  const { kind, outline, occasion } = letter;
  const { languages = ownLanguages } = sender;
  const language =
    letter.language !== undefined && languages.isSupported(letter.language)
      ? letter.language
      : defaultLanguage;
  const { values, variant = 'what', link, code, undoLink } = outline;
  const happened = languages.has(`mail.${kind}.${variant}`) ? variant : 'what';
  const t = (key: string, more: MessageValues = {}): string =>
    languages.message(language, `mail.${key}`, { product: sender.productName, ...values, ...more });
  const parts: Part[] = [{ kind: 'paragraph', text: t(`${kind}.${happened}`) }];
  if (link !== undefined) parts.push({ kind: 'link', text: t(`${kind}.link`), href: link });
  if (code !== undefined) parts.push({ kind: 'paragraph', text: t('code') }, { kind: 'code', text: code });
  parts.push({ kind: 'note', text: t('when', { at: occasion.at }) });
  if (occasion.address !== undefined) {
    const device = nameDevice(occasion.device) ?? t('unknown_device');
    parts.push({ kind: 'note', text: t('where', { device, address: occasion.address }) });
  }
  parts.push({ kind: 'paragraph', text: t(`${kind}.not_you`) });
  if (undoLink !== undefined) parts.push({ kind: 'link', text: t(`${kind}.link`), href: undoLink });
  const footer = t('footer', { url: sender.publicUrl });
  const subject = t(`${kind}.subject`);
  return {
    subject,
    text: toText([...parts, { kind: 'note', text: `--\u0020\n${footer}` }], (label) => t('link', { label })),
    html: withLogo(toHtml(parts, { subject, footer, language, sender }), sender),
  };
}

/** @param labeled Returns the line above the URL of a link. */
function toText(parts: readonly Part[], labeled: (label: string) => string): string {
  const lines = parts.map(({ kind, text, href }) => {
    if (kind === 'link') return `${labeled(text)}\n${href}`;
    return kind === 'code' ? `    ${text}` : text;
  });
  return `${lines.join('\n\n')}\n`;
}

interface Frame {
  readonly subject: string;
  readonly footer: string;
  readonly language: string;
  readonly sender: Sender;
}

/** Formats a mail as HTML in one column, without scripts and remote content, so that opening it cannot be tracked. */
function toHtml(parts: readonly Part[], { subject, footer, language, sender }: Frame): string {
  return html`<!doctype html>
    <html lang="${language}" dir="auto">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${subject}</title>
        <style>
          !${styleSheet}
          !${buttonStyle(sender.color)}
        </style>
      </head>
      <body>
        <main>
          <h1>${subject}</h1>
          !${parts.map((part) => partHtml[part.kind](part)).join('\n')}
        </main>
        <footer>${footer}</footer>
      </body>
    </html>`;
}

/** Adds the logo of the operator above the heading, if there is one. */
function withLogo(page: string, { logo, productName }: Sender): string {
  if (logo === undefined) return page;
  const style = 'display: block; max-width: 100%; height: auto; max-height: 48px; margin: 0 0 24px';
  // The height is also an attribute, for mail clients without style support.
  const picture = html`<img !${logoSource} alt="${productName}" height="48" style="${style}" />`;
  return page.replace('<main>', (begin) => begin + picture); // occurs once, because < is escaped elsewhere
}

const partHtml: { readonly [K in Part['kind']]: (part: Part) => string } = {
  link: ({ text, href }) =>
    html`<p><a class="act" href="${href ?? ''}">${text}</a></p>
      <p class="address">${href ?? ''}</p>`,
  code: ({ text }) => html`<p class="code" dir="ltr">${text}</p>`,
  note: ({ text }) => html`<p class="note">${text}</p>`,
  paragraph: ({ text }) => html`<p>${text}</p>`,
};

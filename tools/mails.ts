// Writes every mail as its recipient sees it, for review: as files, and as pictures of a browser.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { languages } from '../server/src/kit/language.ts';
import { picture, rasterOf } from '../server/src/config/picture.ts';
import { logoSource } from '../server/src/mail/logo.ts';
import { allMails } from '../server/src/app/event-list.ts';
import type { MailKind } from '../server/src/mail/mail-kind.ts';
import { composeMail, type Sender } from '../server/src/mail/text.ts';
import { openBrowser } from '../server/test/support/chromium.ts';

const help = `npm run mails -- [FOLDER] [LOGO] [--pictures FOLDER] [--all]

  FOLDER             gets every mail in every language, as <kind>.<language>.html and .txt; mails otherwise
  LOGO               a PNG or JPEG file, as PRODUCT_LOGO may name it: it stands in the mails as it would arrive
  --pictures FOLDER  draws the mails of docs/guides/email.md into it, as PNG, with the Chromium of the tests
  --all              draws each in every language, light and dark, on a wide screen and on a phone
  --help             this text
`;

const publicUrl = 'https://accounts.example.org';
const at = Date.UTC(2026, 2, 14, 9, 26); // always the same, so that a picture changes only with its mail
const device = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

/** Width in pixels: a desktop mail reader, and a small phone. */
const widths = { wide: 600, phone: 360 } as const;

/** Sizes and color schemes in which a mail is viewed. */
interface View {
  readonly mail: MailKind;
  readonly language: string;
  readonly scheme: 'light' | 'dark';
  readonly screen: keyof typeof widths;
}

function mailOf(name: string): MailKind {
  const [mail] = mailsOf(name);
  if (mail === undefined) throw new Error(`There is no mail ${name}`);
  return mail;
}

/** The mail of a feature; none in a project that lacks the feature. */
function mailsOf(name: string): MailKind[] {
  return allMails.filter((each) => each.name === name);
}

/** Each mail once, with values that fill its texts. */
const shown: readonly View[] = [
  ...allMails.map((mail): View => ({ mail, language: 'en', scheme: 'light', screen: 'wide' })),
  { mail: mailOf('email_verification'), language: 'en', scheme: 'dark', screen: 'wide' },
  { mail: mailOf('new_device'), language: 'en', scheme: 'dark', screen: 'wide' },
  { mail: mailOf('reset_password'), language: 'fr', scheme: 'light', screen: 'wide' },
  ...mailsOf('email_changed').map((mail): View => ({
    mail,
    language: 'fr',
    scheme: 'light',
    screen: 'phone',
  })),
];

function everyView(): View[] {
  return languages().flatMap((language) =>
    allMails.flatMap((mail) =>
      (['light', 'dark'] as const).flatMap((scheme) =>
        (['wide', 'phone'] as const).map((screen) => ({ mail, language, scheme, screen })),
      ),
    ),
  );
}

function nameOf({ mail, language, scheme, screen }: View): string {
  const parts = [
    mail.name,
    language,
    ...(scheme === 'dark' ? ['dark'] : []),
    ...(screen === 'phone' ? ['phone'] : []),
  ];
  return `${parts.join('.')}.png`;
}

function compose(
  sender: Sender,
  { name, example, ...mail }: MailKind,
  language: string,
): ReturnType<typeof composeMail> {
  // Actions of the operator have no network address.
  const occasion = name === 'factors_reset' ? { at } : { at, address: '192.0.2.7', device };
  return composeMail(sender, { kind: name, outline: mail.compose(example), occasion, language });
}

/** Replaces content ids, which a file or a page in a browser cannot resolve. */
function withLogoAt(page: string, url: string): string {
  return page.replace(logoSource, `src="${url}"`);
}

function writeFiles(folder: string, sender: Sender): number {
  const { logo } = sender;
  mkdirSync(folder, { recursive: true });
  if (logo !== undefined) writeFileSync(path.join(folder, 'logo'), logo.content);
  const all = languages().flatMap((language) => allMails.map((mail) => ({ mail, language })));
  for (const { mail, language } of all) {
    const { subject, text, html } = compose(sender, mail, language);
    const file = path.join(folder, `${mail.name}.${language}`);
    writeFileSync(`${file}.html`, withLogoAt(html, 'logo'));
    writeFileSync(`${file}.txt`, `Subject: ${subject}\n\n${text}`);
  }
  return all.length;
}

async function draw(browser: Browser, view: View, sender: Sender): Promise<Buffer> {
  const { logo } = sender;
  const page = await browser.newPage({
    colorScheme: view.scheme,
    viewport: { width: widths[view.screen], height: 100 }, // grows to the height of the mail
  });
  const { html } = compose(sender, view.mail, view.language);
  await page.setContent(
    logo === undefined
      ? html
      : withLogoAt(html, `data:${logo.type};base64,${logo.content.toString('base64')}`),
  );
  const drawn = await page.screenshot({ fullPage: true });
  await page.close();
  return drawn;
}

async function drawPictures(folder: string, views: readonly View[], sender: Sender): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const browser = await openBrowser('machine');
  try {
    for (const view of views)
      writeFileSync(path.join(folder, nameOf(view)), await draw(browser, view, sender));
  } finally {
    await browser.close();
  }
}

/** A path relative to the folder where npm was called. */
function pathOf(name: string): string {
  return path.resolve(process.env['INIT_CWD'] ?? '.', name);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { pictures: { type: 'string' }, all: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help === true) return void process.stdout.write(help);
  const [folderName, logoName] = positionals;
  const logo = logoName === undefined ? undefined : rasterOf(picture(pathOf(logoName)));
  const sender = { productName: 'Example Accounts', publicUrl, color: '#1a56c4', logo };
  if (values.pictures !== undefined) {
    const views = values.all === true ? everyView() : shown;
    await drawPictures(pathOf(values.pictures), views, sender);
    console.log(`${views.length} pictures are in ${pathOf(values.pictures)}`);
  }
  if (folderName !== undefined || values.pictures === undefined) {
    const folder = pathOf(folderName ?? 'mails');
    console.log(`${writeFiles(folder, sender)} mails are in ${folder}`);
  }
}

await main();

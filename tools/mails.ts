// Writes every mail as a person gets it, to look at: as files, and as pictures of a browser.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { languages } from '../server/src/kit/language.ts';
import { picture } from '../server/src/config/picture.ts';
import { logoSource } from '../server/src/mail/logo.ts';
import { deletionUndoKind } from '../server/src/features/account-deletion/deletion.ts';
import { emailChangeKind, emailUndoKind } from '../server/src/features/email-change/email-change.ts';
import { emailSignInKind } from '../server/src/features/email-sign-in/email-sign-in.ts';
import { verificationKind } from '../server/src/identity/account/verification.ts';
import { factorUndoKind } from '../server/src/identity/enrollment/enrollment.ts';
import { resetKind } from '../server/src/identity/password/reset.ts';
import { tokenLink, type TokenKind } from '../server/src/identity/token/kinds.ts';
import { composeMail, type MailFacts, type MailKind, type Sender } from '../server/src/mail/text.ts';
import { openBrowser } from '../server/test/support/chromium.ts';

const help = `npm run mails -- [FOLDER] [LOGO] [--pictures FOLDER] [--all]

  FOLDER             gets every mail in every language, as <kind>.<language>.html and .txt; mails otherwise
  LOGO               a PNG or JPEG file, as PRODUCT_LOGO may name it: it stands in the mails as it would arrive
  --pictures FOLDER  draws the mails of docs/mails.md into it, as PNG, with the Chromium of the tests
  --all              draws each in every language, light and dark, on a wide screen and on a phone
  --help             this text
`;

const publicUrl = 'https://accounts.example.org';
const token = '01a1fb80-3101-7209-85ad-d12c88cf036f.xyz_a8TgEPl7DPTmwel5bNKPXrxy9awZhzSG4bXry-Jrtw8';
const code = 'K7QM-2NXP';

function linkTo(kind: TokenKind): string {
  return tokenLink(publicUrl, kind, { email: 'ada@example.org', token });
}

const facts: MailFacts = {
  email_verification: { link: linkTo(verificationKind), code, minutes: 24 * 60, codeMinutes: 10 },
  reset_password: { link: linkTo(resetKind), code, minutes: 60, codeMinutes: 10 },
  sign_in: { link: linkTo(emailSignInKind), code, minutes: 10, codeMinutes: 10 },
  email_change: { link: linkTo(emailChangeKind), code, minutes: 60, codeMinutes: 10 },
  email_changed: {
    newEmail: 'ada.lovelace@example.org',
    undoLink: linkTo(emailUndoKind),
    undoHours: 72,
  },
  email_change_undone: {},
  deletion_requested: { deleteAt: Date.UTC(2026, 2, 28, 9, 26), undoLink: linkTo(deletionUndoKind) },
  deletion_undone: {},
  already_registered: {},
  password_changed: {},
  new_device: {},
  first_factor: { factor: 'totp', undoLink: linkTo(factorUndoKind), undoHours: 72 },
  factor_undone: {},
  factor_changed: { factor: 'totp', deed: 'added' },
  recovery_code_used: { left: 2 },
  factors_reset: {},
};
const kinds = Object.keys(facts) as MailKind[]; // its own keys

const at = Date.UTC(2026, 2, 14, 9, 26); // always the same, so that a picture changes with its mail alone
const device = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

/** Pixels across: a reader on a desk, and a small telephone. */
const widths = { wide: 600, phone: 360 } as const;

/** How a mail is looked at. */
interface View {
  readonly kind: MailKind;
  readonly language: string;
  readonly scheme: 'light' | 'dark';
  readonly screen: keyof typeof widths;
}

/** Each mail once, and enough of the rest to see how it looks. */
const shown: readonly View[] = [
  ...kinds.map((kind): View => ({ kind, language: 'en', scheme: 'light', screen: 'wide' })),
  { kind: 'email_verification', language: 'en', scheme: 'dark', screen: 'wide' },
  { kind: 'new_device', language: 'en', scheme: 'dark', screen: 'wide' },
  { kind: 'reset_password', language: 'fr', scheme: 'light', screen: 'wide' },
  { kind: 'email_changed', language: 'fr', scheme: 'light', screen: 'phone' },
];

function everyView(): View[] {
  return languages().flatMap((language) =>
    kinds.flatMap((kind) =>
      (['light', 'dark'] as const).flatMap((scheme) =>
        (['wide', 'phone'] as const).map((screen) => ({ kind, language, scheme, screen })),
      ),
    ),
  );
}

function nameOf({ kind, language, scheme, screen }: View): string {
  const parts = [
    kind,
    language,
    ...(scheme === 'dark' ? ['dark'] : []),
    ...(screen === 'phone' ? ['phone'] : []),
  ];
  return `${parts.join('.')}.png`;
}

function compose(sender: Sender, kind: MailKind, language: string): ReturnType<typeof composeMail> {
  // The operator's doing comes from no address.
  const occasion = kind === 'factors_reset' ? { at } : { at, address: '192.0.2.7', device };
  return composeMail(sender, { kind, facts: facts[kind], occasion, language });
}

/** A file, or a page of a browser, has no parts that a content id could name. */
function withLogoAt(page: string, url: string): string {
  return page.replace(logoSource, `src="${url}"`);
}

function writeFiles(folder: string, sender: Sender): number {
  const { logo } = sender;
  mkdirSync(folder, { recursive: true });
  if (logo !== undefined) writeFileSync(path.join(folder, 'logo'), logo.content);
  const all = languages().flatMap((language) => kinds.map((kind) => ({ kind, language })));
  for (const { kind, language } of all) {
    const mail = compose(sender, kind, language);
    const file = path.join(folder, `${kind}.${language}`);
    writeFileSync(`${file}.html`, withLogoAt(mail.html, 'logo'));
    writeFileSync(`${file}.txt`, `Subject: ${mail.subject}\n\n${mail.text}`);
  }
  return all.length;
}

async function draw(browser: Browser, view: View, sender: Sender): Promise<Buffer> {
  const { logo } = sender;
  const page = await browser.newPage({
    colorScheme: view.scheme,
    viewport: { width: widths[view.screen], height: 100 }, // grows to the mail
  });
  const { html } = compose(sender, view.kind, view.language);
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

/** A path relative to where npm was called. */
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
  const logo = logoName === undefined ? undefined : picture(pathOf(logoName));
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

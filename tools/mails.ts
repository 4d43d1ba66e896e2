/**
 * Writes every mail in every language as a person gets it, to look at: `<kind>.<language>.html` and `.txt`. With a
 * picture, which PRODUCT_LOGO may name, it stands in them as it would arrive.
 *
 *   npm run mails -- FOLDER [PICTURE]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { languages } from '../server/src/kit/language.ts';
import { picture } from '../server/src/config/picture.ts';
import { logoSource } from '../server/src/mail/logo.ts';
import { composeMail, type MailFacts, type MailKind } from '../server/src/mail/text.ts';

const publicUrl = 'https://accounts.example.org';
const token = '01a1fb80-3101-7209-85ad-d12c88cf036f.xyz_a8TgEPl7DPTmwel5bNKPXrxy9awZhzSG4bXry-Jrtw8';
const link = `${publicUrl}/reset?email=ada%40example.org&token=${token}`;
const proof = { link, code: 'K7QM-2NXP', minutes: 60, codeMinutes: 10 };

const facts: MailFacts = {
  email_verification: { ...proof, minutes: 24 * 60 },
  reset_password: proof,
  sign_in: { ...proof, minutes: 10 },
  email_change: proof,
  email_changed: { newEmail: 'ada.lovelace@example.org', undoLink: link, undoHours: 72 },
  email_change_undone: {},
  already_registered: {},
  password_changed: {},
  new_device: {},
  factor_changed: { factor: 'totp', deed: 'added' },
  recovery_code_used: { left: 2 },
  factors_reset: {},
};

function main(): void {
  // Relative to where npm was called.
  const from = process.env['INIT_CWD'] ?? '.';
  const [folderName = 'mails', pictureName] = process.argv.slice(2);
  const folder = path.resolve(from, folderName);
  mkdirSync(folder, { recursive: true });
  const logo = pictureName === undefined ? undefined : picture(path.resolve(from, pictureName));
  // A file has no parts that a content id could name.
  if (logo !== undefined) writeFileSync(path.join(folder, 'logo'), logo.content);
  const sender = { productName: 'Example Accounts', publicUrl, color: '#1a56c4', logo };
  const device = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
  const occasion = { at: Date.now(), address: '192.0.2.7', device };
  let count = 0;
  for (const language of languages()) {
    for (const kind of Object.keys(facts) as MailKind[]) {
      const mail = composeMail(sender, { kind, facts: facts[kind], occasion, language });
      writeFileSync(
        path.join(folder, `${kind}.${language}.html`),
        mail.html.replace(logoSource, 'src="logo"'),
      );
      writeFileSync(path.join(folder, `${kind}.${language}.txt`), `Subject: ${mail.subject}\n\n${mail.text}`);
      count += 1;
    }
  }
  console.log(`${count} mails are in ${folder}`);
}

main();

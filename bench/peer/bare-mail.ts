// The maximum rate of the mail library when nothing is read, decrypted or recorded: the same two connections, the same
// mail repeatedly. Prints the number per second.
import { resetPasswordMail } from '../../server/src/identity/password/event.ts';
import { smtpTransport } from '../../server/src/mail/smtp.ts';
import { composeMail } from '../../server/src/mail/text.ts';
import { emailOf } from '../support/accounts.ts';

const { SMTP_URL: url = '', MAILS: count = '' } = process.env;
const transport = smtpTransport({
  url: new URL(url),
  from: { name: '', address: 'accounts@bench.example' },
  requiresTls: false,
});
const sender = { productName: 'Bienvenue', publicUrl: 'https://accounts.example', color: '#1a56c4' };
const link = `https://accounts.example/reset_password?token=${crypto.randomUUID()}`;
const mail = composeMail(sender, {
  kind: 'reset_password',
  outline: resetPasswordMail.compose({ link, code: undefined, minutes: 60, codeMinutes: 10 }),
  occasion: { at: Date.now(), address: '192.0.2.7', device: 'Mozilla/5.0 Firefox/140.0' },
  language: undefined,
});
const send = (n: number): Promise<void> =>
  transport.send({ ...mail, to: emailOf(n), messageId: `<${n}@bench.example>` });
await send(0);
const startedAt = performance.now();
let next = 1;
await Promise.all(
  // As many as the service sends concurrently.
  Array.from({ length: 10 }, async () => {
    while (next <= Number(count)) await send((next += 1));
  }),
);
process.stdout.write(String((Number(count) * 1000) / (performance.now() - startedAt)));
transport.close();

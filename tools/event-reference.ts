// Renders docs/reference/events.md: every event that the service records, from the definitions of the modules.
import { serviceEvents } from '../server/src/app/event.ts';
import { allEvents, allMails } from '../server/src/app/event-list.ts';
import { modules } from '../server/src/app/modules.ts';
import type { EventKind } from '../server/src/identity/event.ts';

/** Returns the page in Markdown. */
export function eventReference(): string {
  const groups = [{ title: 'Service', events: Object.values<EventKind>(serviceEvents) }, ...modules].filter(
    ({ events }) => events.length > 0,
  );
  const eventMails = new Set(allEvents.map(({ mail }) => mail));
  const otherMails = allMails.filter((mail) => !eventMails.has(mail)).map(({ name }) => `\`${name}\``);
  return [
    '# Events',
    '',
    '<!-- Written by `npm run generate` from the files server/src/**/event.ts. -->',
    '',
    'Each event is one row of the audit log, written in the transaction of the action. `bienvenue audit list` shows them, and the',
    'data export of a user contains those of the account.',
    '',
    '| member | what it says |',
    '|---|---|',
    '| `reason` | Name of the event, as below. It does not change; programs decide by it. |',
    '| `event` | Name in the [OWASP Logging Vocabulary](https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html). |',
    '| `outcome` | `success` or `failure`. |',
    '| `facts` | What else is recorded: the facts of the event, as a JSON object. |',
    '| `actor`, `actor_id` | Who acted: `anonymous`, `user`, `operator`, `program`, `service` or `client`, and which one. |',
    '| `user_id` | The account concerned; absent if the event concerns no account. |',
    '| `target` | The session, device, signing key, client, resource or application concerned, by its public handle. |',
    '| `address`, `user_agent`, `request_id` | Where the request came from. |',
    '',
    'Repeated refusals of one network (IPv6: /64) and name in the vocabulary are collected: the first is recorded immediately, and',
    'those of the next minute as one event for each account and reason, with their number as the fact `count`. With many',
    'networks at a time, refusals that concern no account are recorded without an address.',
    '',
    'The column "email" names the [email](../guides/email.md) that the owner of the account gets each time. These emails belong to',
    `no event, or are not sent each time: ${otherMails.join(', ')}.`,
    ...groups.flatMap(({ title, events }) => [
      '',
      `## ${title}`,
      '',
      '| name | vocabulary | outcome | facts | email | what happened |',
      '|---|---|---|---|---|---|',
      ...events.map(eventLine),
    ]),
    '',
  ].join('\n');
}

function eventLine({ name, vocabulary, outcome, facts, mail, says }: EventKind): string {
  const factNames = Object.entries(facts).map(([fact, type]) => `\`${fact}\` (${type})`);
  const cells = [
    `\`${name}\``,
    `\`${vocabulary}\``,
    outcome,
    factNames.join(', '),
    mail === undefined ? '' : `\`${mail.name}\``,
    says,
  ];
  return `| ${cells.join(' | ')} |`;
}

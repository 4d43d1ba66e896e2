// Renders instants. The text is in UTC, and says so; the script rewrites it in the time zone of the reader.
import { html } from 'ghtml';
import { withOrdinal, type MessageValues } from '../kit/language.ts';
import type { Translate } from '../http/pages.ts';

/** `moment`: date and time. `day`: the date. `clock`: the time of day. `ago`: how long ago, with scripts. */
export type TimeStyle = 'moment' | 'day' | 'clock' | 'ago';

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(language: string, style: TimeStyle): Intl.DateTimeFormat {
  const key = `${language} ${style}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(language, {
      timeZone: 'UTC',
      ...(style !== 'clock' && { dateStyle: 'long' }),
      ...(style !== 'day' && { timeStyle: 'short' }),
    });
    formats.set(key, format);
  }
  return format;
}

/** Returns the markup of an instant (Unix milliseconds). */
export function timeTag({ language }: Translate, at: number, style: TimeStyle = 'moment'): string {
  const text = withOrdinal(language, formatOf(language, style).format(at));
  return html`<time datetime="${new Date(at).toISOString()}" data-style="${style}"
    >${style === 'day' ? text : `${text} UTC`}</time
  >`;
}

/** Characters for private use, which no message contains: they stand for the instants while a message is formatted. */
const firstPlaceholder = 0xe000;

/**
 * Formats a message with instants in it. The message contains them as plain placeholders, `{seen}`.
 * @returns Markup.
 */
export function withTimes(
  t: Translate,
  key: string,
  times: Readonly<Record<string, number>>,
  style: TimeStyle = 'moment',
  others: MessageValues = {},
): string {
  const entries = Object.entries(times);
  const marks = entries.map(([name], i) => [name, String.fromCodePoint(firstPlaceholder + i)] as const);
  const text = html`${t(key, { ...others, ...Object.fromEntries(marks) })}`;
  return entries.reduce(
    (markup, [, at], i) => markup.replaceAll(marks[i]?.[1] ?? '', () => timeTag(t, at, style)),
    text,
  );
}

// How the activity page shows the events of an account, as their modules declare it.

/**
 * How the activity page of the owner shows an event: its icon, and whether it asks "Not you?". `hidden`: not shown, because
 * it concerns no account, changes nothing, or repeats another event. All others have a message `page.event.<name>`.
 */
export type EventDisplay =
  | 'sign_in'
  | 'sign_out'
  | 'password'
  | 'factor'
  | 'address'
  | 'mail'
  | 'account'
  | 'data'
  | 'refusal'
  | 'hidden';

interface DisplayedEvent extends EventTexts {
  /** Key of its message. */
  readonly message: string;
}

/** What an event declares for people. */
export interface EventTexts {
  readonly shownAs: EventDisplay;
  /** One sentence for docs/reference/events.md. */
  readonly says: string;
  /** Of a refused sign-in: what to do about it, for `bienvenue user why`. */
  readonly remedy?: string;
}

const events = new Map<string, DisplayedEvent>();

/** Makes an event known to `findEvent`, by its name. */
export function registerEvent(name: string, { shownAs, says, remedy }: EventTexts): void {
  events.set(name, { shownAs, says, ...(remedy !== undefined && { remedy }), message: `page.event.${name}` });
}

/** Returns how an event is shown, by its name (column `reason`); `undefined` for those of other releases. */
export function findEvent(name: string | null): DisplayedEvent | undefined {
  return name === null ? undefined : events.get(name);
}

/** Returns the names of the events that the activity page does not show. */
export function hiddenEvents(): readonly string[] {
  return [...events].filter(([, { shownAs }]) => shownAs === 'hidden').map(([name]) => name);
}

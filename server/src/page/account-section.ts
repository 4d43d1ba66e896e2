// The pages of a person's own account, as modules contribute them.
import type { FastifyRequest } from 'fastify';

/** A page of the account, as the list of the account links to it. */
export interface AccountSection {
  readonly path: string;
  /** Its messages are `page.<name>.title` and `page.<name>.about`. */
  readonly name: string;
}

/** A part that a module adds to a page of the account which another module owns. */
export interface SectionPart {
  /** Name of that page's section. */
  readonly section: 'sessions' | 'data';
  /** Markup of the part; empty if there is nothing to show. Called with a live session. */
  readonly render: (request: FastifyRequest) => Promise<string> | string;
}

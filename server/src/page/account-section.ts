// The pages of the user's account, as modules contribute them.
import type { FastifyRequest } from 'fastify';

/** A page of the account. The account page links to it. */
export interface AccountSection {
  readonly path: string;
  /** Its messages are `page.<name>.title` and `page.<name>.about`. */
  readonly name: string;
}

/** The page on which emails are read that are kept instead of sent. */
export interface KeptMailPage {
  readonly path: string;
  /** Its messages are `page.<name>.title` and `page.<name>.notice`. */
  readonly name: string;
}

/** A part that a module adds to an account page of another module. */
export interface SectionPart {
  /** Name of the section of that page, or `factor` for the page of the second factor. */
  readonly section: 'sessions' | 'data' | 'factor';
  /** Markup of the part; empty if there is nothing to show. Called at the access level of that page. */
  readonly render: (request: FastifyRequest) => Promise<string> | string;
}

/** Returns the markup of the parts of a section, in their order. */
export async function renderParts(
  parts: readonly SectionPart[],
  section: SectionPart['section'],
  request: FastifyRequest,
): Promise<string> {
  const own = parts.filter((part) => part.section === section);
  return (await Promise.all(own.map(async ({ render }) => render(request)))).join('');
}

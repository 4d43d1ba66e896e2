// Builds what users see of the access of applications.
import Type from 'typebox';
import type { DenialSource, PersonalData } from '../../../identity/contribution.ts';
import type { PageKit } from '../../../page/page.ts';
import { Applications, type ApplicationParts } from './applications.ts';
import { applicationDenials } from './denials.ts';
import { applicationPages, applicationSection } from './pages.ts';
import { ApplicationEntry, applicationRoutes, describeApplication } from './routes.ts';

/** Returns the page and the routes, both at the access level `session`, and the member of the copy of personal data. */
export function buildApplications({
  pages,
  trustsAddresses,
  ...parts
}: ApplicationParts & { readonly pages: PageKit; readonly trustsAddresses: boolean }): {
  readonly pages: ReturnType<typeof applicationPages>;
  readonly routes: ReturnType<typeof applicationRoutes>;
  readonly section: typeof applicationSection;
  readonly data: PersonalData;
  readonly denials: DenialSource;
} {
  const applications = new Applications(parts);
  return {
    pages: applicationPages({ pages, applications }),
    routes: applicationRoutes({ applications }),
    section: applicationSection,
    denials: applicationDenials(trustsAddresses),
    data: {
      name: 'applications',
      schema: Type.Array(ApplicationEntry, { description: 'Applications that can use the account' }),
      exportOf: async (_db, userId) => (await applications.list(userId)).map(describeApplication),
    },
  };
}

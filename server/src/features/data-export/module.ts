// Lets users download everything that is stored about them (GDPR articles 15 and 20).
import { identityModule } from '../../module.ts';
import { dataExportEvents } from './event.ts';
import { DataExports } from './data-export.ts';
import { dataPages, dataSection } from './pages.ts';
import { dataRoutes } from './routes.ts';

export const dataExport = identityModule({
  name: 'data-export',
  messages: import.meta.resolve('./messages/'),
  events: dataExportEvents,
  build: ({ audit, context, pages, plugged, plugs: { parts }, stepUp }) => {
    const dataExports = new DataExports(context, { audit, plugged, stepUp });
    return {
      routes: [
        { access: 'session', json: dataRoutes({ dataExports, plugged }) },
        { access: 'session', pages: dataPages({ pages, stepUp, parts }) },
      ],
      account: [dataSection],
    };
  },
});

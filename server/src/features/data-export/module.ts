// Lets users download everything that is stored about them (GDPR articles 15 and 20).
import { dataSection } from '../../identity/account/data-page.ts';
import { identityModule } from '../../module.ts';
import { dataExportEvents } from './event.ts';
import { DataExports } from './data-export.ts';
import { exportPart } from './pages.ts';
import { dataRoutes } from './routes.ts';

export const dataExport = identityModule({
  name: 'data-export',
  messages: new URL('./messages/', import.meta.url).href,
  events: dataExportEvents,
  build: ({ audit, context, plugged, stepUp }) => {
    const dataExports = new DataExports(context, { audit, plugged, stepUp });
    return {
      routes: [{ access: 'session', json: dataRoutes({ dataExports, plugged }) }],
      account: [dataSection],
      parts: [exportPart()],
    };
  },
});

// Shows every page and mail in the look that the operator configured. Exists in local mode only.
import { module } from '../../module.ts';
import { previewPages } from './pages.ts';
import { previewPath } from './preview.ts';

export const themePreview = module({
  name: 'theme-preview',
  messages: new URL('./messages/', import.meta.url).href,
  build: ({ mail, pages }) => ({
    ...(pages.keepsMails && { localPages: [{ path: previewPath, name: 'theme' }] }),
    routes: pages.keepsMails ? [{ access: 'open', pages: previewPages({ mail, pages }) }] : [],
  }),
});

// Serves the files that pages load. The URL of a file changes with its content, so that browsers may cache it forever.
import type { FastifyInstance } from 'fastify';
import type { PageAssets } from '../brand/page-assets.ts';

const immutable = 'public, max-age=31536000, immutable';
/** For an address without the digest of the content. */
const brief = 'public, max-age=300';
/**
 * Policy of pictures and fonts. An SVG file that is opened as a page can run no scripts and load nothing (CWE-79); its
 * own styles are shown.
 */
const filePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

/** Adds the routes that serve the files. */
export async function assetRoutes(scope: FastifyInstance, { assets }: { assets: PageAssets }): Promise<void> {
  for (const path of assets.paths) {
    scope.get(path, { schema: { summary: 'File that pages load' } }, async (request, reply) => {
      const file = assets.files.find((one) => one.path === path);
      // The files of a theme may be loaded without the digest, by their names.
      const isVersioned = !path.startsWith('/theme/') || request.raw.url === file?.address;
      if (file?.type.startsWith('text/') !== true) void reply.header('content-security-policy', filePolicy);
      return reply
        .header('cache-control', isVersioned ? immutable : brief)
        .type(file?.type ?? 'text/plain')
        .send(file?.content ?? '');
    });
  }
}

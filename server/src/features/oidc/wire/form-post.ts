// The page that sends the answer to an application as a form (OAuth 2.0 Form Post Response Mode).
import { createHash } from 'node:crypto';
import type { KoaContextWithOIDC } from 'oidc-provider';

/**
 * Lets the page of `form_post` send its form by its own script. Its form goes to a redirect URI that is registered;
 * browsers would apply `form-action` also to where the application redirects from there.
 */
export function allowFormPost(ctx: KoaContextWithOIDC): void {
  const { body } = ctx;
  if (ctx.oidc.params?.['response_mode'] !== 'form_post' || typeof body !== 'string') return;
  const script = /<script>(?<text>[^]*?)<\/script>/.exec(body)?.groups?.['text'];
  if (script === undefined) return;
  const hash = createHash('sha256').update(script).digest('base64');
  ctx.set(
    'content-security-policy',
    `default-src 'none'; script-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'`,
  );
}

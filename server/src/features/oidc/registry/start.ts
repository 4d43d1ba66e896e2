// Applies the clients file at the start of the service.
import type { FileApplyParts } from './file-apply.ts';
import type { ClientsFile } from './clients-file.ts';

/** Returns the work of a start: to apply the clients file, if there is one. */
export function registryStarts(
  parts: FileApplyParts,
  file: ClientsFile | undefined,
): readonly (() => Promise<void>)[] {
  if (file === undefined) return [];
  return [
    async () => {
      const { applyFile } = await import('./file-apply.ts'); // most starts have no file
      await applyFile(parts, file, { source: { actor: 'service' } });
    },
  ];
}

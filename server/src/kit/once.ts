/** Returns a function that runs the work at its first call, and returns the same promise at each call. */
export function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

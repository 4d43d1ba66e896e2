import type { Environment } from '../../src/config/read-options.ts';

/**
 * Environment of a process under test in addition to its options: it lets the tests start fast (postgres-server.ts).
 */
export function runtimeEnvironment(): Environment {
  const names = ['PATH', 'NODE_COMPILE_CACHE', 'NODE_OPTIONS'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

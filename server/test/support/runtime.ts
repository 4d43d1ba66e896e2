import type { Environment } from '../../src/config/read-options.ts';

/** What a process under test is given besides its options: how the tests start fast themselves (postgres-server.ts). */
export function runtimeEnvironment(): Environment {
  const names = ['PATH', 'NODE_COMPILE_CACHE', 'NODE_OPTIONS'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

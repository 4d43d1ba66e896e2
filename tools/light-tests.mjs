/**
 * Loaded before node:test by the processes of a lane. With a hook of async_hooks, node:test follows each promise to its
 * test, so that an error outside of a test fails the right one; that takes a tenth of the CPU time of the main lane. Here
 * it follows only the tests themselves, and such an error fails the process. A node:test without such a hook is not
 * changed.
 */
import hooks from 'node:async_hooks';

const { AsyncResource, createHook } = hooks;

/** What node:test does with a new resource. @type {import('node:async_hooks').HookCallbacks['init']} */
let init;

hooks.createHook = (callbacks) => {
  hooks.createHook = createHook;
  init = (...resource) => callbacks.init?.(...resource);
  const hook = { enable: () => hook, disable: () => hook };
  return hook;
};

hooks.AsyncResource = class extends AsyncResource {
  /** @param {string} type @param {import('node:async_hooks').AsyncResourceOptions} [options] */
  constructor(type, options) {
    super(type, options);
    init?.(this.asyncId(), type, this.triggerAsyncId(), this);
  }
};

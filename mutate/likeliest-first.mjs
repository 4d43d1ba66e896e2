// Runs each test of a change for itself, the likeliest to notice it first, and stops at the first that does. Likeliest is
// what noticed the changes before it in the same file, by how long it takes: neighbours are noticed by the same tests.
import { declareFactoryPlugin, commonTokens, PluginKind, tokens } from '@stryker-mutator/api/plugin';
import { MutantRunStatus } from '@stryker-mutator/api/test-runner';
import { createTapTestRunnerFactory } from '@stryker-mutator/tap-runner';
import { basename } from 'node:path';

/** @typedef {import('@stryker-mutator/api/test-runner').TestRunner} TestRunner */

/** Weight of the newest change in what is known of a test: some five changes count. */
const newestWeight = 0.2;
/** Of a test of which nothing is known: it notices one change of three, and takes two seconds. */
const guessedRate = 0.33;
const guessedMs = 2000;

/** What is known of each test: the share of the changes of a file that it noticed, and how long it takes when it does not. */
class Experience {
  /** @type {Map<string, number>} */
  #rates = new Map();
  /** @type {Map<string, number>} */
  #durations = new Map();

  /** @param {string} file @param {readonly string[]} tests */
  inOrder(file, tests) {
    const worth = (/** @type {string} */ test) =>
      this.#rateOf(file, test) / (this.#durations.get(test) ?? guessedMs);
    return tests.toSorted((one, other) => worth(other) - worth(one));
  }

  /** @param {string} file @param {string} test @param {boolean} noticed @param {number} ms */
  learn(file, test, noticed, ms) {
    const rate = this.#rateOf(file, test);
    this.#rates.set(`${file} ${test}`, rate + newestWeight * ((noticed ? 1 : 0) - rate));
    if (!noticed) this.#durations.set(test, ms);
  }

  /** @param {string} file @param {string} test */
  #rateOf(file, test) {
    const known = this.#rates.get(`${file} ${test}`);
    return known ?? (basename(test) === basename(file).replace('.ts', '.test.ts') ? 1 : guessedRate);
  }
}

/** @param {TestRunner} runner @returns {TestRunner} */
function likeliestFirst(runner) {
  const experience = new Experience();
  return {
    capabilities: () => runner.capabilities(),
    init: () => runner.init?.(),
    dispose: () => runner.dispose?.(),
    dryRun: (options) => runner.dryRun(options),
    mutantRun: async (options) => {
      const { activeMutant, testFilter } = options;
      if (testFilter === undefined) return runner.mutantRun(options); // all tests, in their order
      const file = activeMutant.fileName;
      let nrOfTests = 0;
      for (const test of experience.inOrder(file, testFilter)) {
        const begunAt = performance.now();
        const result = await runner.mutantRun({ ...options, testFilter: [test] });
        const noticed = result.status !== MutantRunStatus.Survived;
        experience.learn(file, test, noticed, performance.now() - begunAt);
        if (noticed) return result;
        nrOfTests += 1;
      }
      return { status: MutantRunStatus.Survived, nrOfTests };
    },
  };
}

/** @param {import('@stryker-mutator/api/plugin').Injector<import('@stryker-mutator/api/plugin').PluginContext>} injector */
const create = (injector) => likeliestFirst(injector.injectFunction(createTapTestRunnerFactory()));
create.inject = tokens(commonTokens.injector);

export { strykerValidationSchema } from '@stryker-mutator/tap-runner';
export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'likeliest-first', create)];

// Tests how often problems are logged, for each way of sending them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import { Problem, type ProblemCode } from '../../kit/problem.ts';
import { errorHandler, sendProblem, type ProblemSender } from './problem-handler.ts';

const asPage: ProblemSender = async (problem, _request, reply) => {
  await reply.status(503).type('text/html').send(`<p>${problem.code}</p>`);
};

for (const [form, sender] of Object.entries({ 'in JSON': sendProblem, 'on a page': asPage }))
  for (const [code, lines] of Object.entries({ unavailable: 1, internal_error: 5, not_found: 0 }))
    test(`logs ${lines} of five ${code} problems that are sent ${form}`, async () => {
      const logged: string[] = [];
      const stream = { write: (line: string) => void logged.push(line) };
      const app = Fastify({ logger: { level: 'warn', stream } });
      app.setErrorHandler(errorHandler(sender));
      app.get('/', () => {
        throw new Problem(code as ProblemCode); // one of the three above
      });
      for (let i = 0; i < 5; i += 1) await app.inject('/');
      assert.equal(logged.length, lines, logged.join(''));
      await app.close();
    });

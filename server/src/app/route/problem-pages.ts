import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { findProblem, Problem } from '../../kit/problem.ts';
import { problemType } from '../../http/reply/problem-handler.ts';

const ProblemDescription = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
});

/** Describes each problem at the address of its `type`. */
export const problemRoutes: FastifyPluginAsyncTypebox = async (scope) => {
  scope.get(
    '/problems/:code',
    {
      schema: {
        summary: 'Describes a problem',
        params: Type.Object({ code: Type.String() }),
        response: { 200: ProblemDescription },
      },
    },
    async (request) => {
      const { code } = request.params;
      const problem = findProblem(code);
      if (problem === undefined) throw new Problem('not_found');
      return { type: problemType(code), title: problem.title, status: problem.status, code };
    },
  );
};

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem, problemSentences, type ProblemCode } from '../kit/problem.ts';
import { problemStatus, problemType } from '../http/problem-handler.ts';

const ProblemDescription = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
});

/** What a problem's `type` leads to: its description. */
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
      if (!isCode(code)) throw new Problem('not_found');
      return { type: problemType(code), title: problemSentences[code], status: problemStatus[code], code };
    },
  );
};

function isCode(text: string): text is ProblemCode {
  return Object.hasOwn(problemSentences, text);
}

// The name of a column in an `insert … select` is for the types alone: the database goes by its place.
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';

/** @type {import('@stryker-mutator/api/ignore').Ignorer} */
const alias = {
  shouldIgnore({ node, parent }) {
    const isAlias =
      node.type === 'StringLiteral' &&
      parent?.type === 'CallExpression' &&
      parent.callee.type === 'MemberExpression' &&
      parent.callee.property.type === 'Identifier' &&
      parent.callee.property.name === 'as';
    return isAlias ? 'the name of a column, for the types alone' : undefined;
  },
};

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, 'alias', alias)];

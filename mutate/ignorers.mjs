// Changes that any test notices, and that would take a quarter of the time: an empty name of a column is no SQL, and every
// word of a schema is compared with openapi.json.
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';

/** @typedef {import('@stryker-mutator/api/ignore').NodePath} NodePath */

/** @param {NodePath} path */
const isInStatement = (path) =>
  path.findParent(
    ({ node }) =>
      node.type === 'CallExpression' && node.callee.type === 'Identifier' && node.callee.name === 'statement',
  ) !== null;

/** A table, a column or an operator, or one of a list of columns; not the direction of an order, nor a value. */
const isName = (/** @type {NodePath} */ { node, parent, parentPath }) => {
  const isListed = parent?.type === 'ArrayExpression';
  const call = isListed ? parentPath?.parent : parent;
  const argument = isListed ? parent : node;
  if (call?.type !== 'CallExpression' || call.callee.type !== 'MemberExpression') return false;
  const { property } = call.callee;
  const place = call.arguments.findIndex((one) => one === argument);
  return property.type === 'Identifier' && place <= (isListed || property.name === 'orderBy' ? 0 : 1);
};

const ignorers = {
  /** @param {NodePath} path */
  names: (path) =>
    path.node.type === 'StringLiteral' && isName(path) && isInStatement(path)
      ? 'a name in a statement of SQL'
      : undefined,
  /** @param {NodePath} path */
  schemas: ({ node }) =>
    node.type === 'ObjectProperty' && node.key.type === 'Identifier' && node.key.name === 'schema'
      ? 'part of openapi.json'
      : undefined,
};

export const ignorerNames = Object.keys(ignorers);
export const strykerPlugins = Object.entries(ignorers).map(([name, shouldIgnore]) =>
  declareValuePlugin(PluginKind.Ignore, name, { shouldIgnore }),
);

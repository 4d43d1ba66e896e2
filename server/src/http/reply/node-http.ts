/** Exports of node:http. Importing them would also load Node's fetch and delay the start. */
export const { ServerResponse, STATUS_CODES } = process.getBuiltinModule('node:http');

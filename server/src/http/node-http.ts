/** Of node:http. An import of them would load Node's own fetch as well, which a start need not pay for. */
export const { ServerResponse, STATUS_CODES } = process.getBuiltinModule('node:http');

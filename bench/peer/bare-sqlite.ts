// The minimum cost of a session check on SQLite: node:http and one prepared statement. It runs on a database of the
// service and answers /profile with the same bytes as the service.
import { createServer } from 'node:http';
import { timingSafeEqual } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { sessionQuery, toParts, type SessionRow } from './bare-check.ts';

const database = new DatabaseSync(process.env['DATABASE'] ?? '', { readOnly: true });
const statement = database.prepare(sessionQuery.replace('$1', '?'));

createServer((request, response) => {
  const parts = toParts(request.headers.cookie);
  const row = parts && (statement.get(parts.id) as SessionRow | undefined); // the columns of the query
  if (
    parts === undefined ||
    row === undefined ||
    row.expires_at <= Date.now() ||
    !timingSafeEqual(row.secret_hash, parts.secretHash)
  ) {
    response.writeHead(403).end();
    return;
  }
  const body = JSON.stringify({ email: row.email });
  response
    .writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length })
    .end(body);
}).listen(Number(process.env['PORT']), '127.0.0.1');

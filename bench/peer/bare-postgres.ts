// The session check of bare-sqlite.ts on PostgreSQL as it is usually written: a pool, a named statement, one query per
// request.
import { createServer } from 'node:http';
import { timingSafeEqual } from 'node:crypto';
import pg from 'pg';
import { sessionQuery, toParts, type SessionRow } from './bare-check.ts';

/** Parses bigint as number, as our database does. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({ types, connectionString: process.env['DATABASE'], max: 10 });

createServer((request, response) => {
  const parts = toParts(request.headers.cookie);
  if (parts === undefined) {
    response.writeHead(403).end();
    return;
  }
  pool.query<SessionRow>({ name: 'session', text: sessionQuery, values: [parts.id] }, (error, result) => {
    const row = result?.rows[0]; // no result came with an error
    if (
      error ||
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
  });
}).listen(Number(process.env['PORT']), '127.0.0.1');

/**
 * Better Auth on SQLite, set up for speed as its manual recommends: node:sqlite, database joins, one indexed look-up by
 * token. The cookie cache is off, because with it a revoked session is still accepted; its limits, log and telemetry
 * are off too. Passwords are hashed with argon2id and the service's parameters (the manual's own example of another
 * hash), so that a login does the same work.
 */
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { hash, verify } from '@node-rs/argon2';
import { betterAuth } from 'better-auth';
import { makeSignature } from 'better-auth/crypto';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';

const { PORT, DATABASE, ACCOUNTS, COOKIES, HASHED_PASSWORD, MEMORY_KIB, PASSES } = process.env;
const secret = 'a secret of the benchmark, long enough';
const cost = { memoryCost: Number(MEMORY_KIB), timeCost: Number(PASSES), parallelism: 1 };
const sessionMs = 7 * 24 * 3_600_000;

const database = new DatabaseSync(DATABASE);
database.exec('pragma journal_mode = wal; pragma synchronous = normal');

const options = {
  baseURL: `http://127.0.0.1:${PORT}`,
  secret,
  database,
  emailAndPassword: {
    enabled: true,
    autoSignIn: false,
    password: {
      hash: (password) => hash(password, cost),
      verify: ({ hash: hashed, password }) => verify(hashed, password),
    },
  },
  session: { cookieCache: { enabled: false } },
  advanced: { disableCSRFCheck: true, disableOriginCheck: true },
  experimental: { joins: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
};

const { runMigrations } = await getMigrations(options);
await runMigrations();

/** Inserts the rows that its sign-up and sign-in would insert, without a hash for each. */
async function fill(accounts) {
  const now = new Date().toISOString();
  const expiresAt = new Date(Date.now() + sessionMs).toISOString();
  const addUser = database.prepare(
    'insert into user (id, name, email, emailVerified, createdAt, updatedAt) values (?, ?, ?, 0, ?, ?)',
  );
  const addAccount = database.prepare(
    "insert into account (id, accountId, providerId, userId, password, createdAt, updatedAt) values (?, ?, 'credential', ?, ?, ?, ?)",
  );
  const addSession = database.prepare(
    'insert into session (id, expiresAt, token, createdAt, updatedAt, userId) values (?, ?, ?, ?, ?, ?)',
  );
  const cookies = [];
  database.exec('begin');
  for (let n = 1; n <= accounts; n += 1) {
    const id = `user${String(n).padStart(28, '0')}`;
    const token = `token${String(n).padStart(27, '0')}`;
    addUser.run(id, `User ${n}`, `user${n}@bench.example`, now, now);
    addAccount.run(`acct${id}`, id, id, HASHED_PASSWORD, now, now);
    addSession.run(`sess${id}`, expiresAt, token, now, now, id);
    const signed = encodeURIComponent(`${token}.${await makeSignature(token, secret)}`);
    cookies.push(`better-auth.session_token=${signed}`);
  }
  database.exec('commit');
  writeFileSync(COOKIES, JSON.stringify(cookies));
}

await fill(Number(ACCOUNTS));
const handle = toNodeHandler(betterAuth(options));
createServer((request, response) => void handle(request, response)).listen(Number(PORT), '127.0.0.1');

/**
 * A typical hand-written service: Express, express-session, passport-local, and sessions in SQLite. The store works
 * like the usual session stores for SQLite: a row of JSON by session id, prepared statements, and `touch` at the end of
 * every request, as the manual of express-session requires. WAL and synchronous=normal, as is usually recommended.
 * Passwords are hashed with argon2id and the service's parameters.
 */
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { callbackify } from 'node:util';
import { hash, verify } from '@node-rs/argon2';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import { Strategy } from 'passport-local';

const { PORT, DATABASE, ACCOUNTS, COOKIES, HASHED_PASSWORD, MEMORY_KIB, PASSES } = process.env;
const secret = 'a secret of the benchmark';
const cost = { memoryCost: Number(MEMORY_KIB), timeCost: Number(PASSES), parallelism: 1 };
const sessionMs = 30 * 24 * 3_600_000;

const database = new DatabaseSync(DATABASE);
database.exec(`
  pragma journal_mode = wal;
  pragma synchronous = normal;
  create table if not exists users (id integer primary key, email text not null unique, hashed_password text not null);
  create table if not exists sessions (sid text primary key, expires integer not null, data text not null) without rowid;
`);
const userByEmail = database.prepare('select id, email, hashed_password from users where email = ?');
const userById = database.prepare('select id, email from users where id = ?');
const addUser = database.prepare(
  'insert into users (email, hashed_password) values (?, ?) on conflict do nothing',
);

class SqliteStore extends session.Store {
  #get = database.prepare('select data from sessions where sid = ? and expires > ?');
  #set = database.prepare(
    'insert into sessions (sid, expires, data) values (?, ?, ?) on conflict (sid) do update set expires = excluded.expires, data = excluded.data',
  );
  #touch = database.prepare('update sessions set expires = ? where sid = ?');
  #destroy = database.prepare('delete from sessions where sid = ?');

  get(sid, done) {
    const row = this.#get.get(sid, Date.now());
    done(null, row ? JSON.parse(row.data) : null);
  }

  set(sid, data, done) {
    this.#set.run(sid, Date.now() + sessionMs, JSON.stringify(data));
    done(null);
  }

  touch(sid, _data, done) {
    this.#touch.run(Date.now() + sessionMs, sid);
    done(null);
  }

  destroy(sid, done) {
    this.#destroy.run(sid);
    done(null);
  }
}

/** Inserts the rows that a login would insert, without a hash for each. */
function fill(accounts) {
  const addSession = database.prepare('insert into sessions (sid, expires, data) values (?, ?, ?)');
  const expires = Date.now() + sessionMs;
  const cookies = [];
  database.exec('begin');
  for (let n = 1; n <= accounts; n += 1) {
    const sid = `session${String(n).padStart(25, '0')}`;
    addUser.run(`user${n}@bench.example`, HASHED_PASSWORD);
    const cookie = {
      originalMaxAge: sessionMs,
      expires: new Date(expires).toISOString(),
      httpOnly: true,
      path: '/',
      sameSite: 'lax',
    };
    addSession.run(sid, expires, JSON.stringify({ cookie, passport: { user: n } }));
    const signature = createHmac('sha256', secret).update(sid).digest('base64').replace(/=+$/, '');
    cookies.push(`connect.sid=${encodeURIComponent(`s:${sid}.${signature}`)}`);
  }
  database.exec('commit');
  writeFileSync(COOKIES, JSON.stringify(cookies));
}

fill(Number(ACCOUNTS));

async function findUser(email, password) {
  const user = userByEmail.get(email);
  return user !== undefined && (await verify(user.hashed_password, password)) ? user : false;
}

passport.use(
  new Strategy({ usernameField: 'email' }, (email, password, done) => {
    callbackify(findUser)(email, password, done);
  }),
);
passport.serializeUser((user, done) => done(null, user.id));
passport.deserializeUser((id, done) => done(null, userById.get(id) ?? false));

const app = express();
app.disable('x-powered-by');
app.use(express.urlencoded({ extended: false }));
app.use(
  session({
    secret,
    store: new SqliteStore(),
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: sessionMs, sameSite: 'lax' },
  }),
);
app.use(passport.session());
app.get('/', (_request, response) => response.json({ message: 'Bienvenue' }));
app.get('/profile', (request, response) => {
  if (!request.isAuthenticated()) return response.status(403).json({ message: 'Forbidden' });
  return response.json({ email: request.user.email });
});
app.post('/sessions', passport.authenticate('local'), (request, response) =>
  response.json({ email: request.user.email, message: 'logged in' }),
);
app.post('/users', async (request, response) => {
  const { email, password } = request.body;
  const { changes } = addUser.run(email, await hash(password, cost));
  if (changes === 0) return response.status(400).json({ message: 'email already registered' });
  return response.json({ email, message: 'user created' });
});
app.listen(Number(PORT), '127.0.0.1');
